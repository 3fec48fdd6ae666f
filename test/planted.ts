// Secrets of many kinds, made up from a seed and from parts, so that none stands in this tree: what a scanner of
// secrets must find. Each is a line of code as people commit them by accident, or a name and its value on two lines.

import { createRandom, type Random } from "../src/base/random.ts";

const LOWER = "abcdefghijklmnopqrstuvwxyz";
const UPPER = LOWER.toUpperCase();
const DIGITS = "0123456789";
const LETTERS = LOWER + UPPER;
const MIXED = LETTERS + DIGITS;
const HEX = `${DIGITS}abcdef`;

type Maker = (random: Random) => string;

function pick(random: Random, letters: string, length: number): string {
  return Array.from({ length }, () => letters[random.below(letters.length)]).join("");
}

/** Joined here, so that the prefix as a whole is in no file. */
function prefixed(parts: readonly string[], letters: string, length: number): Maker {
  return (random) => parts.join("") + pick(random, letters, length);
}

function webToken(random: Random): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = {
    iss: "https://id.northwind.dev",
    sub: pick(random, HEX, 24),
    exp: 1_700_000_000 + random.below(1e8),
  };
  return `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}.${pick(random, `${MIXED}-_`, 43)}`;
}

function password(random: Random): string {
  return (
    pick(random, UPPER, 2) +
    pick(random, LOWER, 3) +
    pick(random, DIGITS, 3) +
    pick(random, "!#$*", 1) +
    pick(random, MIXED, 5)
  );
}

const header = (kind: string) => `${"-".repeat(5)}BEGIN ${kind}PRIVATE ${"KEY"}${"-".repeat(5)}`;

/** Tokens with a form of their own, keys, addresses and headers, and two assignments. */
const formKinds: Readonly<Record<string, Maker>> = {
  "AWS access key": (r) => `aws_access_key_id = ${prefixed(["AK", "IA"], `${UPPER}234567`, 16)(r)}`,
  "AWS secret": (r) => `export AWS_SECRET_ACCESS_KEY=${pick(r, `${MIXED}/+`, 40)}`,
  "GitHub token": (r) => `git clone https://${prefixed(["gh", "p_"], MIXED, 36)(r)}@github.com/a/b`,
  "GitLab token": (r) => `  token: "${prefixed(["gl", "pat-"], MIXED, 20)(r)}",`,
  "Slack token": (r) =>
    `const bot = '${["xo", "xb"].join("")}-${pick(r, DIGITS, 12)}-${pick(r, DIGITS, 12)}-${pick(r, MIXED, 24)}'`,
  "Google key": (r) => `var key = "${prefixed(["AI", "za"], `${MIXED}-_`, 35)(r)}";`,
  "Stripe key": (r) => `stripe.setKey("${prefixed(["sk", "_live_"], MIXED, 24)(r)}")`,
  "npm token": (r) => `//r.example.org/:_authToken=${prefixed(["np", "m_"], MIXED, 36)(r)}`,
  "SendGrid key": (r) => `mail.key = "${["S", "G."].join("")}${pick(r, MIXED, 22)}.${pick(r, MIXED, 43)}"`,
  "OpenAI key": (r) => `openai = OpenAI("${["s", "k-"].join("")}${pick(r, MIXED, 48)}")`,
  "private key": (r) => header(["RSA ", "EC ", "", "OPENSSH ", "DSA "][r.below(5)]!),
  "private key in a string": (r) =>
    `  "key": "${header("")}\\n${["MI", "IE"].join("")}${pick(r, MIXED, 60)}\\n",`,
  "database address": (r) => `DATABASE_URL=postgres://app:${pick(r, MIXED, 16)}@db.northwind.dev:5432/app`,
  "web address": (r) => `fetch("https://deploy:${pick(r, MIXED, 14)}@ci.northwind.dev/build")`,
  "JSON Web Token": (r) => `const session = "${webToken(r)}";`,
  "bearer token": (r) => `curl -H "Authorization: Bearer ${pick(r, MIXED, 40)}" https://api.northwind.dev`,
  "basic login": (r) => `Authorization: Basic ${Buffer.from(`deploy:${password(r)}`).toString("base64")}`,
  "storage key": (r) => `AccountName=files;${["Account", "Key="].join("")}${pick(r, MIXED, 86)}==;Suffix=x`,
  "assigned key": (r) => `  client_secret: '${pick(r, MIXED, 32)}'`,
  "assigned password": (r) => `db.password = "${password(r)}"`,
};

const uuid = (r: Random) => [8, 4, 4, 4, 12].map((length) => pick(r, HEX, length)).join("-");
const login = (r: Random) => Buffer.from(`ci:${pick(r, MIXED, 16)}`).toString("base64");

/** Values behind a name, as languages and settings write them. */
const assignedKinds: Readonly<Record<string, Maker>> = {
  "XML element": (r) => `  <db:userPassword type="text">${pick(r, MIXED, 16)}</db:userPassword>`,
  "XML attribute": (r) => `<property name="password" value="${pick(r, MIXED, 14)}"/>`,
  "XML string": (r) => `<string name="maps_api_key">${pick(r, MIXED, 32)}</string>`,
  "JSON entry": (r) => `{"name": "DB_PASSWORD", "value": "${pick(r, MIXED, 16)}"},`,
  "JSON in a string": (r) => `"{\\"user\\":\\"app\\",\\"password\\":\\"${pick(r, MIXED, 16)}\\"}"`,
  "YAML entry": (r) => `- { name: API_TOKEN, value: ${pick(r, MIXED, 24)} }`,
  "YAML password": (r) => `  password: ${pick(r, MIXED, 18)}`,
  "UUID as a key": (r) => `PLATFORM_API_KEY=${uuid(r)}`,
  "Django key": (r) => `SECRET_KEY = 'django-insecure-${pick(r, `${MIXED}!@#$%^&*(-_=+)`, 50)}'`,
  "Laravel key": (r) => `APP_KEY=base64:${pick(r, `${MIXED}+/`, 43)}=`,
  "key of small letters": (r) => `api_key: ${pick(r, LOWER + DIGITS, 32)}`,
  "key of base32": (r) => `totp_secret = "${pick(r, `${UPPER}234567`, 32)}"`,
  "key with slashes": (r) => `  secret_key = "${pick(r, `${MIXED}+/`, 40)}"`,
  "short password": (r) => `const dbPassword = "${pick(r, MIXED, 16)}";`,
  "PHP constant": (r) => `define('DB_PASSWORD', '${pick(r, MIXED, 16)}');`,
  "Java setter": (r) => `dataSource.setPassword("${pick(r, MIXED, 16)}");`,
  "C# property": (r) => `public string Password { get; set; } = "${pick(r, MIXED, 16)}";`,
  "Rust constant": (r) => `const API_TOKEN: &str = "${pick(r, MIXED, 32)}";`,
  "Go assignment": (r) => `\tapiKey := "${pick(r, MIXED, 32)}"`,
  "R assignment": (r) => `api_key <- "${pick(r, MIXED, 32)}"`,
  "Ruby default": (r) => `secret = ENV["SECRET_KEY"] || "${pick(r, HEX, 64)}"`,
  "Python default": (r) => `SECRET = os.environ.get("APP_SECRET", "${pick(r, MIXED, 32)}")`,
  "shell default": (r) => `TOKEN=${"$"}{TOKEN:-${pick(r, MIXED, 32)}}`,
  "Terraform default": (r) => `variable "db_password" { default = "${pick(r, MIXED, 16)}" }`,
  "container's setting": (r) => `ENV MYSQL_ROOT_PASSWORD ${pick(r, MIXED, 16)}`,
  "ADO.NET address": (r) => `Server=db.northwind.dev;User Id=sa;Password=${pick(r, MIXED, 16)};`,
  "netrc line": (r) => `machine api.northwind.dev login bot password ${pick(r, MIXED, 20)}`,
  "Redis setting": (r) => `requirepass ${pick(r, MIXED, 24)}`,
  "mail password": (r) => `auth: { user: 'bot', pass: '${pick(r, MIXED, 16)}' },`,
  "login of a registry": (r) => `"auths": {"https://r.northwind.dev/v1/": {"auth": "${login(r)}"}}`,
  sentence: (r) => `The password of staging is unchanged, the new token is ${pick(r, MIXED, 32)}`,
};

/** Arguments of programs and functions. */
const argumentKinds: Readonly<Record<string, Maker>> = {
  "mysql -p": (r) => `mysql -u root -p${pick(r, MIXED, 16)} prod`,
  "mysqladmin -p": (r) => `mysqladmin -u root -p'${password(r)}' shutdown`,
  "curl -u": (r) => `curl -u deploy:${pick(r, MIXED, 20)} https://ci.northwind.dev/run`,
  "curl --user": (r) => `curl --user "ci:${pick(r, MIXED, 16)}" https://ci.northwind.dev/run`,
  "http -a": (r) => `http -a ci:${pick(r, MIXED, 16)} POST api.northwind.dev/v1`,
  "wget --password": (r) => `wget --user=ci --password=${pick(r, MIXED, 16)} https://files.northwind.dev/a`,
  sshpass: (r) => `sshpass -p '${pick(r, MIXED, 16)}' ssh deploy@db1.northwind.dev`,
  "docker login": (r) => `docker login -u ci -p ${pick(r, MIXED, 20)} registry.northwind.dev`,
  "redis-cli": (r) => `redis-cli -h cache.northwind.dev -a ${pick(r, MIXED, 24)} ping`,
  ldapsearch: (r) => `ldapsearch -x -D "cn=admin,dc=nw" -w ${pick(r, MIXED, 16)} -b dc=nw`,
  openssl: (r) => `openssl enc -d -aes-256-cbc -in k.enc -out k -pass pass:${pick(r, MIXED, 18)}`,
  keytool: (r) => `keytool -genkey -keystore a.jks -storepass ${pick(r, MIXED, 16)}`,
  chpasswd: (r) => `echo "deploy:${pick(r, MIXED, 16)}" | chpasswd`,
  stdin: (r) => `echo "${pick(r, MIXED, 32)}" | docker login --username ci --password-stdin`,
  "identified by": (r) => `CREATE USER 'app'@'%' IDENTIFIED BY '${pick(r, MIXED, 16)}';`,
  "secret's literal": (r) => `kubectl create secret generic db --from-literal=password=${pick(r, MIXED, 16)}`,
  "database of Go": (r) => `sql.Open("mysql", "app:${pick(r, MIXED, 16)}@tcp(db.northwind.dev:3306)/app")`,
  "database of Oracle": (r) => `jdbc:oracle:thin:app/${pick(r, MIXED, 16)}@db.northwind.dev:1521:orcl`,
  "secure string": (r) => `$p = ConvertTo-SecureString "${password(r)}" -AsPlainText -Force`,
  "login of two arguments": (r) => `server.login("bot@northwind.dev", "${pick(r, MIXED, 16)}")`,
  "pair of a login": (r) => `r = requests.get(url, auth=('ci', '${pick(r, MIXED, 16)}'))`,
  "key of a signature": (r) => `jwt.sign({ id }, '${pick(r, MIXED, 32)}', { expiresIn: '1h' })`,
};

const WORDS =
  "adapt absorb addict abuse abandon ability afford aerobic advance accuse afraid agent about above absent abstract absurd access accident account achieve acid acoustic acquire across";
const NOUNS = ["River", "Winter", "Summer", "Dragon", "Sunset", "Marble", "Copper", "Falcon"];
const noun = (r: Random) => NOUNS[r.below(NOUNS.length)]!;

/** A password as people make them. */
function chosen(random: Random): string {
  const forms = [
    () => `${noun(random)}${1980 + random.below(45)}!`,
    () => `${noun(random)}${noun(random)}${pick(random, "356789", 3)}`,
    () => `${noun(random).toLowerCase()}@${pick(random, "356789", 4)}`,
    () => `P4ss${noun(random)}#${pick(random, DIGITS, 2)}`,
  ];
  return forms[random.below(forms.length)]!();
}

function words(random: Random, count: number): string {
  const list = WORDS.split(" ");
  return Array.from({ length: count }, () => list.splice(random.below(list.length), 1)[0]).join(" ");
}

function pem(random: Random): string {
  return Buffer.from(`${header("RSA ")}\n${pick(random, MIXED, 64)}\n`).toString("base64");
}

/** Keys known by what stands around them. */
const keyKinds: Readonly<Record<string, Maker>> = {
  "private key in base64": (r) => `    client-key-data: ${pem(r)}`,
  "private key in JSON": (r) =>
    `{"kty":"RSA","e":"AQAB","d":"${pick(r, `${MIXED}-_`, 342)}","n":"${pick(r, `${MIXED}-_`, 342)}"}`,
  "private key of a wallet": (r) => `    accounts: ["0x${pick(r, HEX, 64)}"], // deployer`,
  "phrase of 12 words": (r) => `MNEMONIC="${words(r, 12)}"`,
  "phrase of 24 words": (r) => `  seedPhrase: '${words(r, 24)}',`,
  "Infura address": (r) => `  url: "https://mainnet.infura.io/v3/${pick(r, HEX, 32)}",`,
  "Alchemy address": (r) => `  url: "https://eth-mainnet.g.alchemy.com/v2/${pick(r, `${MIXED}-_`, 32)}",`,
  "WordPress salt": (r) =>
    `define('SECURE_AUTH_KEY',  '${pick(r, `${MIXED}!@#$%^&*()-_=+[]{}|;:,.<>/?~ `, 64)}');`,
  "htpasswd line": (r) => `ada:$apr1$${pick(r, MIXED, 8)}$${pick(r, `${MIXED}./`, 22)}`,
  "shadow line": (r) => `root:$6$${pick(r, MIXED, 8)}$${pick(r, `${MIXED}./`, 86)}:19000:0:99999:7:::`,
  "pgpass line": (r) => `db.northwind.dev:5432:app:app:${pick(r, MIXED, 18)}`,
  "messaging server's key": (r) => `key=AAAA${pick(r, MIXED, 7)}:APA91b${pick(r, `${MIXED}-_`, 134)}`,
  "Okta token": (r) => `Authorization: SSWS 00${pick(r, `${MIXED}-_`, 40)}`,
  "Discord token": (r) =>
    `client.login('${["MT", "k"].join("")}${pick(r, MIXED, 21)}.${pick(r, MIXED, 6)}.${pick(r, MIXED, 38)}');`,
  "Telegram address": (r) =>
    `https://api.telegram.org/bot${pick(r, DIGITS, 10)}:AA${pick(r, `${MIXED}-_`, 33)}/getMe`,
  "property list": (r) => `<key>APIKey</key><string>${pick(r, MIXED, 32)}</string>`,
  "secret of 20 hex digits": (r) => `  secret: "${pick(r, HEX, 20)}",`,
  "key of Algolia": (r) => `algoliasearch('${pick(r, UPPER + DIGITS, 10)}', '${pick(r, HEX, 32)}');`,
  "key of cookies": (r) => `app.use(cookieParser('${pick(r, MIXED, 32)}'));`,
  "Fernet key": (r) => `f = Fernet(b'${pick(r, `${MIXED}-_`, 43)}=')`,
  "wireless network": (r) => `WiFi.begin("northwind", "${pick(r, MIXED, 14)}");`,
  "chosen password in an address": (r) =>
    `postgres://app:${encodeURIComponent(chosen(r))}@db.northwind.dev:5432/app`,
  "chosen password of ADO.NET": (r) => `Server=db.northwind.dev;User Id=sa;Password=${chosen(r)};`,
  "chosen password in settings": (r) => `DB_PASSWORD=${chosen(r)}`,
  "chosen password in quotes": (r) => `  password: "${chosen(r)}",`,
};

/** Kinds by name; each gives one line. */
export const plantedKinds: Readonly<Record<string, Maker>> = {
  ...formKinds,
  ...assignedKinds,
  ...argumentKinds,
  ...keyKinds,
};

/** `each` lines of every kind. */
export function plantSecrets(seed: number, each: number): { readonly kind: string; readonly line: string }[] {
  const random = createRandom(seed);
  return Object.entries(plantedKinds).flatMap(([kind, make]) =>
    Array.from({ length: each }, () => ({ kind, line: make(random) })),
  );
}
