// What a person asks the filters for, as options, and what a repository says of its own files. Knows no rule, so that who
// only wants to know the options need not load any.

import type { OptionTable, Values } from "../base/options.ts";
import { filterNames } from "./verdict.ts";

/** What to learn from and what to leave out. Patterns are those of `.gitignore`. */
export const filterOptions = {
  include: {
    type: "strings",
    default: [],
    help: "Learn only from files that match, in the patterns of .gitignore; may be given again",
    value: "PATTERN",
    unset: "all files",
  },
  exclude: {
    type: "strings",
    default: [],
    help: "Leave out files that match, beside what .codefudgeignore lists; may be given again",
    value: "PATTERN",
  },
  force_include: {
    type: "strings",
    default: [],
    help: "Learn from files that match whatever the filters say, unless there is a secret in them",
    value: "PATTERN",
  },
  keep: {
    type: "strings",
    default: [],
    choices: [...filterNames],
    help: "Switch a filter off; may be given again",
    value: "NAME",
  },
  author: {
    type: "strings",
    default: [],
    help: "Learn only from commits whose author's name or address contains this; may be given again",
    value: "TEXT",
    unset: "all authors",
  },
  exclude_author: {
    type: "strings",
    default: [],
    help: "Leave out commits whose author's name or address contains this; may be given again",
    value: "TEXT",
  },
} as const satisfies OptionTable;

export type FilterOptions = Values<typeof filterOptions>;

/** What the repository itself says of its files. */
export type RepositoryRules = {
  /** Text of `.codefudgeignore`, empty when there is none. */
  readonly ignore: string;
  /** Text of `.gitattributes` of the newest commit, empty when there is none. */
  readonly attributes: string;
};
