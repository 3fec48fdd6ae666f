// Finds secrets in old contents, diffs and messages. The door to secretlint: its preset's rules are called directly,
// one line at a time, because its core is asynchronous and slows down with every call (secretlint/secretlint#1653),
// and its comments that switch rules off are not obeyed: a stranger's repository may not decide what is a secret.
// Whether a line holds a secret depends on that line and the two after it, so that a content is not read again whose
// lines were all seen, or whose old form was and then all lines of the diff that made it.

import { rules as presetRules } from "@secretlint/secretlint-rule-preset-recommend";
import type { SecretLintRuleContext, SecretLintSourceCode } from "@secretlint/types";
import { createAnchors } from "./anchors.ts";
import { createIdSet } from "./ids.ts";
import { hasLogin } from "./logins.ts";
import { continued, isOpen, linesAfter } from "./pairs.ts";
import { isFilling } from "./plausible.ts";
import type { SecretRule } from "./rule.ts";
import { secretRules } from "./secret-rules.ts";
import type { ChangeFacts, CommitFacts, Verdict } from "./verdict.ts";

export type Scanner = {
  /** "secret" with the kind and where it stands; never the secret itself. Old and new content must be known to agree
   * with the diff. */
  scan(commit: CommitFacts, change: ChangeFacts): Verdict | undefined;
};

/** Anchors of what the preset finds, but for addresses with a login, which it is asked about when we are. */
const presetRule: SecretRule = {
  name: "known form",
  anchors: [
    ...[
      "secret_access_key",
      "secretaccesskey",
      "secret_accesskey",
      "secretaccess_key",
      "x-oauth-basic",
      "npm_",
    ],
    ...[
      "xoxb-",
      "xoxp-",
      "xapp-",
      "xoxa-",
      "xoxo-",
      "xoxr-",
      "hooks.slack.com",
      "t3blbkfj",
      "sk-ant-",
      "lin_api_",
    ],
    ...[
      "shppa_",
      "shpca_",
      "shpat_",
      "shpss_",
      "ghp_",
      "gho_",
      "ghu_",
      "ghs_",
      "ghr_",
      "github_pat_",
      "ops_ey",
    ],
    "sg.",
  ],
  holds: (line) => askPreset(line),
};

/** The rule whose values may stand on a line after their names. */
const ASSIGNED = "assigned value";
const rules: readonly SecretRule[] = [presetRule, ...secretRules];
const anchors = rules.flatMap((rule, number) => rule.anchors.map((literal) => ({ literal, number })));
const finder = createAnchors(anchors.map(({ literal }) => literal));

/** A scanner that remembers which contents it has seen to be free of secrets. */
export function createScanner(): Scanner {
  const clean = createIdSet();
  let last: { readonly hash: string; readonly found: string | undefined } | undefined;
  const inMessage = ({ hash, message }: CommitFacts) => {
    if (last?.hash !== hash) last = { hash, found: findSecret({ text: message, passed: "", prefix: 0 }) };
    return last.found;
  };
  return {
    scan: (commit, { old, oldOid, newOid, diff }) => {
      const message = inMessage(commit);
      if (message !== undefined) return verdict(message, "message");
      const isClean = old === null || clean.has(oldOid);
      const change = findSecret({ text: diff, passed: isClean ? NOT_ADDED : "", prefix: 1 });
      if (change !== undefined) return verdict(change, "diff");
      const before = isClean ? undefined : findSecret({ text: old, passed: "", prefix: 0 });
      if (before !== undefined) return verdict(before, "old content");
      clean.add(oldOid);
      clean.add(newOid);
      return undefined;
    },
  };
}

function verdict(kind: string, place: string): Verdict {
  return { reason: "secret", detail: `${kind} in the ${place}` };
}

/** Of a diff whose old content is free of secrets only the added lines can bring one, its header, and those of the
 * others whose value is on a line after them. */
const NOT_ADDED = " -";
const REMOVED = "-";

type Search = {
  readonly text: string;
  /** Lines that begin with one of these characters hold nothing by themselves. */
  readonly passed: string;
  /** How many characters of each line are a diff's sign. */
  readonly prefix: number;
};

/** The name of the first rule that holds for a line. */
function findSecret({ text, passed, prefix }: Search): string | undefined {
  let [start, end, line] = [-1, -1, ""];
  let [isPassed, isRemoved] = [false, false];
  let asked = new Set<number>();
  let name: string | undefined;
  const found = (literals: readonly number[], at: number) => {
    if (at >= end) {
      start = text.lastIndexOf("\n", at) + 1;
      end = text.indexOf("\n", at);
      if (end < 0) end = text.length;
      line = "";
      asked = new Set();
      isPassed = passed.includes(text[start]!);
      isRemoved = prefix > 0 && text[start] === REMOVED;
      if (isPassed && isRemoved) return false;
      line = text.slice(start + prefix, end);
    }
    if (line === "") return false;
    for (const literal of literals) {
      const { number } = anchors[literal]!;
      if (asked.has(number)) continue;
      asked.add(number);
      const rule = rules[number]!;
      if (!isPassed && rule.holds(line)) name = rule.name;
      else if (rule.name === ASSIGNED && !isRemoved && isOpen(line)) {
        if (continued(line, linesAfter(text, end, prefix)).some(rule.holds)) name = rule.name;
      }
    }
    return name !== undefined;
  };
  finder.find(text, found, passed === "" ? "" : REMOVED);
  return name;
}

const reported: { readonly rule: string; readonly range: readonly [number, number] }[] = [];
const handlers = createHandlers();

function createHandlers() {
  return presetRules
    .filter(({ meta }) => !meta.id.endsWith("filter-comments"))
    .map((rule) => {
      const context: SecretLintRuleContext = {
        sharedOptions: {},
        createTranslator: () => (messageId) => ({
          message: "",
          messageId: String(messageId),
          data: undefined as never,
        }),
        ignore: () => {},
        report: ({ range }) => reported.push({ rule: rule.meta.id, range: [range[0]!, range[1]!] }),
      };
      return rule.create(context, {});
    });
}

/** Asks the preset about a line; what it finds must also not look like a placeholder. */
function askPreset(line: string): boolean {
  reported.length = 0;
  const source = { content: line, contentType: "text" } as unknown as SecretLintSourceCode;
  for (const handler of handlers) handler.file?.(source);
  return reported.some(({ rule, range }) => {
    const found = line.slice(...range);
    return /basicauth|connection-string/.test(rule) ? hasLogin(found) : !isFilling(found.slice(-24));
  });
}
