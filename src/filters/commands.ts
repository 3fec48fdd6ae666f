// Passwords in the flags of programs that take them there (`mysql -pNAME`, `curl -u name:password`, `sshpass -p`),
// after the manuals of these programs. `--password` and its like are names, which `assignments.ts` knows.

import { isPassword } from "./plausible.ts";

const { raw } = String;
// In these patterns \x60 is a backtick.
const VALUE = raw`(?:"([^"]{6,128})"|'([^']{6,128})'|([^\s"'|;&<>\x60]{6,128}))`;
const NAME = raw`[^\s"'\x60:%,]{1,64}`;

type Tool = {
  /** Lower case; one of them stands in every line that the pattern finds. */
  readonly anchors: readonly string[];
  readonly pattern: RegExp;
};

/** A program and the flag whose argument is a password. Flags differ by case. */
function tool(anchors: string, program: string, flag: string): Tool {
  const pattern = RegExp(raw`\b(?:${program})\b[^|;\n]{0,200}?\s${flag}${VALUE}`, "g");
  return { anchors: anchors.split("|"), pattern };
}

/** A program whose arguments in a row end with a password. */
function command(anchors: string, program: string, flags = "g"): Tool {
  return { anchors: anchors.split("|"), pattern: RegExp(raw`\b(?:${program})\s${VALUE}`, flags) };
}

const registries = "docker|podman|nerdctl|buildah|skopeo|helm|oc|az|oras|crane|registry|cf|ibmcloud";
const consoles = "cqlsh|influx|rabbitmqadmin|clickhouse-client|isql|xfreerdp";

const programs: readonly Tool[] = [
  tool("mysql|mariadb", raw`(?:mysql|mariadb)[\w-]{0,16}`, "-p"),
  tool("mongo", "mongo(?:sh|dump|restore|export|import|stat|top|files)?", raw`-p\s?`),
  tool("redis-cli|valkey-cli|keydb-cli", "(?:redis|valkey|keydb)-cli", raw`(?:-a|--pass)\s`),
  tool(consoles, consoles, raw`(?:-[pP]\s|/p:|--password\s)`),
  tool(" login ", raw`(?:${registries})\b.{0,40}\blogin`, "-p[= ]?"),
  tool("sshpass", "sshpass", raw`-p\s?`),
  tool("ssh-keygen", "ssh-keygen", raw`-[NP]\s?`),
  tool("-pass| -k ", "openssl", raw`-(?:k|pass(?:in|out)?)\s(?:pass:)?`),
  tool("ldapsearch|ldapadd|ldapmod|ldapdelete|ldappasswd|ldapwhoami", raw`ldap[a-z]{3,8}`, raw`-w\s?`),
  tool("snmpget|snmpwalk|snmpset|snmptrap|snmpbulk|snmptable", raw`snmp\w{3,12}`, raw`-[AX]\s?`),
  tool(
    "sqlcmd|bcp |mosquitto_|ipmitool|zip -|psexec",
    raw`sqlcmd|bcp|mosquitto_\w+|ipmitool|(?:un)?zip|psexec`,
    raw`-[pP]\s?`,
  ),
  tool("7z |7za |7zr |rar ", "7z[ar]?|u?n?rar", "-h?p"),
  command("htpasswd", raw`htpasswd\s-\w*b\w*\s\S{1,200}\s${NAME}`),
  command("rabbitmqctl", raw`rabbitmqctl.{0,40}\b(?:add_user|change_password)\s${NAME}`),
  command("vault login|auth login", raw`(?:vault|auth) login(?:\s-\S+)?`),
  command("net use", raw`net user?\s\S{1,100}`),
  command("securestring", raw`ConvertTo-SecureString(?:\s-String)?`),
  command("identified by", raw`identified by(?:\spassword)?`, "gi"),
];

/** A password that another program reads: `echo "name:…" | chpasswd`, `echo … | docker login --password-stdin`. */
const piped: Tool = {
  anchors: ["chpasswd", "stdin", "sudo -"],
  pattern: RegExp(
    raw`\b(?:echo|printf)\s(?:-\w\s)?["']?(?:${NAME}:)?([^\s"'\x60|]{6,128})["']?\s?\|.{0,60}(?:chpasswd|stdin\b|\bsudo\s-\w*S)`,
    "g",
  ),
};

/** `name:password` for a client: curl, wget, httpie, ab, smbclient, lftp. */
const client: Tool = {
  anchors: [" -u", "--user", "proxy-user", " -a ", "--auth", "--creds", "--credentials"],
  pattern: RegExp(
    raw`(?:^|\s)(?:-[uU]\s{0,2}|-[aA]\s|--(?:(?:proxy-)?user|auth|creds|credentials)[= ])(?:"${NAME}[:%,]([^"\s]{6,128})"|'${NAME}[:%,]([^'\s]{6,128})'|${NAME}[:%,]([^\s"'|;&<>\x60]{6,128}))`,
    "g",
  ),
};

/** Addresses of databases that are no URL: `name:password@tcp(host)`, `name/password@host`. */
const databases: readonly Tool[] = [
  { anchors: ["@tcp(", "@unix("], pattern: /[\w.-]{1,64}:([^\s"'`:@]{6,128})@(?:tcp|unix)\(/g },
  {
    anchors: ["sqlplus", "oracle:thin:", "rman target"],
    pattern: /(?:\bsqlplus\s(?:-\w\s)*|oracle:thin:|\brman target\s)[\w$#]{1,64}\/([^\s"'`@/]{6,128})@/gi,
  },
];

const tools: readonly Tool[] = [...programs, piped, client, ...databases];

export const commandAnchors: readonly string[] = tools.flatMap(({ anchors }) => anchors);

/** A password in the arguments of a program that a person starts. */
export function hasCommandLogin(line: string): boolean {
  const lower = line.toLowerCase();
  for (const { anchors, pattern } of tools) {
    if (!anchors.some((anchor) => lower.includes(anchor))) continue;
    for (const [, ...values] of line.matchAll(pattern)) {
      if (values.some((value) => value !== undefined && isPassword(value))) return true;
    }
  }
  return false;
}
