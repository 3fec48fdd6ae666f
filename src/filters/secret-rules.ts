// The secrets that we know by their form, beside those that the scanner's preset knows. A rule looks at one line only
// and is asked only where one of its anchors stands, so anchors must be part of every text that the rule finds. Forms
// are those that the issuers document; what looks like a placeholder is none.

import { assignedAnchors, hasAssignment } from "./assignments.ts";
import { callAnchors, hasCallLogin } from "./calls.ts";
import { commandAnchors, hasCommandLogin } from "./commands.ts";
import { keyRules } from "./keys.ts";
import { hasAuthorization, hasLogin, hasWebToken } from "./logins.ts";
import { type SecretRule, token } from "./rule.ts";

const issued: readonly SecretRule[] = [
  token("AWS access key", ["akia", "asia", "abia", "acca"], "(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}"),
  token(
    "GitLab token",
    ["glpat-", "gldt-", "glrt-", "glcbt-", "glptt-"],
    "gl(?:pat|dt|rt|cbt|ptt)-[\\w-]{20,64}",
  ),
  token("Google API key", ["aiza"], "AIza[\\w-]{35}"),
  token("Google OAuth secret", ["gocspx-", "ya29."], "GOCSPX-[\\w-]{28}|ya29\\.[\\w-]{30,400}"),
  token("Stripe key", ["_live_", "whsec_"], "[rs]k_live_[A-Za-z0-9]{20,247}|whsec_[A-Za-z0-9+/]{32,64}"),
  token("Square token", ["sq0"], "sq0(?:atp|csp|idp)-[\\w-]{22,43}"),
  token("Twilio key", ["twilio"], "SK[0-9a-f]{32}|[0-9a-f]{32}"),
  token("PyPI token", ["pypi-"], "pypi-[\\w-]{50,1000}"),
  token("RubyGems key", ["rubygems_"], "rubygems_[0-9a-f]{48}"),

  token(
    "npm login",
    ["_authtoken", "_password"],
    '(?<=_(?:authToken|password)\\s?=\\s?"?)[A-Za-z0-9+/=_.-]{16,}',
  ),
  token("Docker token", ["dckr_pat_", "dckr_oat_"], "dckr_[po]at_[\\w-]{24,40}"),
  token("Hugging Face token", ["hf_"], "hf_[A-Za-z]{30,40}"),
  token("OpenAI key", ["sk-"], "sk-[A-Za-z0-9]{48}|sk-(?:proj|svcacct|admin)-[\\w-]{40,200}"),
  token("Anthropic key", ["sk-ant-"], "sk-ant-[a-z]{3,8}\\d\\d-[\\w-]{60,140}"),
  token(
    "model provider's key",
    ["gsk_", "xai-", "pplx-", "r8_", "nvapi-"],
    "gsk_[A-Za-z0-9]{52}|xai-[A-Za-z0-9]{80}|pplx-[A-Za-z0-9]{48,56}|r8_[A-Za-z0-9]{37}|nvapi-[\\w-]{60,70}",
  ),
  token("DigitalOcean token", ["dop_v1_", "doo_v1_", "dor_v1_"], "do[por]_v1_[0-9a-f]{64}"),
  token("Databricks token", ["dapi"], "dapi[0-9a-f]{32}(?:-\\d)?"),
  token(
    "HashiCorp token",
    ["hvs.", "hvb.", ".atlasv1."],
    "hv[sb]\\.[\\w-]{24,300}|[A-Za-z0-9]{14}\\.atlasv1\\.[\\w-]{60,70}",
  ),
  token("Atlassian token", ["atatt3x", "atctt3x"], "AT[AC]TT3x[\\w=-]{40,250}"),
  token("Telegram token", [":aa"], "(?:bot)?\\d{8,10}:AA[\\w-]{33}"),
  token(
    "Discord address",
    ["/api/webhooks/"],
    "(?<=discord(?:app)?\\.com/api/webhooks/\\d{17,20}/)[\\w-]{60,80}",
  ),
  token(
    "Microsoft address",
    [".webhook.office.com"],
    "(?<=webhook\\.office\\.com/webhookb2/)[0-9a-f-]{36}@[0-9a-f-]{36}/IncomingWebhook/[0-9a-f]{32}",
  ),
  token("Mailgun or Mailchimp key", ["key-", "-us"], "key-[0-9a-f]{32}|[0-9a-f]{32}-us\\d{1,2}"),
  token("Sentry token", ["sntrys_", "sntryu_"], "sntry[su]_[\\w+/=-]{40,300}"),
  token("Grafana token", ["glsa_", "glc_ey"], "glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}|glc_ey[\\w+/=-]{40,400}"),
  token("New Relic key", ["nrak-", "nraa-", "nrii-"], "NR(?:AK|AA|II)-[A-Za-z0-9_-]{27,42}"),
  token("Postman key", ["pmak-"], "PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
  token("Doppler token", ["dp.pt.", "dp.st."], "dp\\.[ps]t\\.(?:[\\w-]{2,35}\\.)?[A-Za-z0-9]{40,44}"),
  token("PlanetScale password", ["pscale_"], "pscale_(?:tkn|pw|oauth)_[\\w=.-]{32,64}"),
  token(
    "platform token",
    ["sbp_", "nfp_", "hrku-", "figd_", "ntn_", "dt0c01.", "pul-"],
    "sbp_[0-9a-f]{40}|nfp_[A-Za-z0-9]{36}|HRKU-[\\w-]{36,64}|figd_[\\w-]{40}|ntn_[A-Za-z0-9]{40,50}|dt0c01\\.[A-Z2-7]{24}\\.[A-Z2-7]{64}|pul-[0-9a-f]{40}",
  ),
  token("Airtable token", ["airtable"], "pat[A-Za-z0-9]{14}\\.[0-9a-f]{64}"),
  token("Facebook token", ["eaac"], "EAAC[A-Za-z0-9]{60,250}"),
  token("Django key", ["django-insecure-"], "django-insecure-[^\\s\"'`]{40,80}"),
  token("age key", ["age-secret-key-1"], "AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
  token(
    "Azure key",
    ["accountkey=", "sharedaccesskey=", "sig="],
    "(?<=(?:Account|SharedAccess)Key=)[A-Za-z0-9+/]{43,86}={1,2}|(?<=[?&]sig=)[A-Za-z0-9%+/]{43,90}(?:%3[dD]|=)",
  ),
];

const PRIVATE_KEY =
  /-----BEGIN (?:[A-Z0-9]{2,10} ){0,2}PRIVATE KEY(?: BLOCK)?-----(?:["'`,;+\s\\]{0,6}$|(?:\\[rn]|\s){0,4}[A-Za-z0-9+/]{16})|^PuTTY-User-Key-File-\d: \S/;

/** Ours, in the order in which they are asked. */
export const secretRules: readonly SecretRule[] = [
  ...issued,
  ...keyRules,
  {
    name: "private key",
    anchors: ["private key", "putty-user-key-file-"],
    holds: (line) => PRIVATE_KEY.test(line),
  },
  { name: "login in an address", anchors: ["://"], holds: (line) => line.includes("@") && hasLogin(line) },
  { name: "authorization header", anchors: ["bearer ", "basic ", '"auth"'], holds: hasAuthorization },
  { name: "JSON Web Token", anchors: [".eyj"], holds: hasWebToken },
  { name: "assigned value", anchors: assignedAnchors, holds: hasAssignment },
  { name: "login in a command", anchors: commandAnchors, holds: hasCommandLogin },
  { name: "login in a call", anchors: callAnchors, holds: hasCallLogin },
];
