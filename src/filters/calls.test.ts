// Arguments that are passwords.

import assert from "node:assert/strict";
import { test } from "node:test";
import { callAnchors, hasCallLogin } from "./calls.ts";

const PASSWORD = ["Xq7Lm2", "Rv9TzB"].join("");

test("the second argument of a login, the key of a signature", () => {
  for (const line of [
    `server.login("bot@northwind.dev", "${PASSWORD}")`,
    `requests.get(url, auth=('ci', '${PASSWORD}'))`,
    `new NetworkCredential("ci", "${PASSWORD}")`,
    `DriverManager.getConnection(url, "app", "${PASSWORD}")`,
    `$db = new PDO($dsn, 'app', '${PASSWORD}');`,
    `createHmac("sha256", "${PASSWORD}").update(body)`,
    `jwt.verify(token, '${PASSWORD}')`,
    `app.use(cookieParser("${PASSWORD}"))`,
    `WiFi.begin(ssid, "${PASSWORD}");`,
    `CryptoJS.AES.encrypt(data, '${PASSWORD}')`,
    `ldap_bind($link, $name, "${PASSWORD}");`,
  ]) {
    assert.ok(hasCallLogin(line), line);
    assert.ok(
      callAnchors.some((anchor) => line.toLowerCase().includes(anchor)),
      line,
    );
  }
});

test("names, options and first arguments are none", () => {
  for (const line of [
    `login("${PASSWORD}")`,
    "login('ada', 'lovelace1815')",
    "bearerAuth({ token, prefix: 'X.Auth+v2' })",
    "connect(options, 'secureConnect2')",
    "jwt.verify(token, process.env.KEY)",
    "app.use(cookieParser('my secret, here'))",
    "createCipheriv('aes-256-cbc', key, iv)",
  ]) {
    assert.ok(!hasCallLogin(line), line);
  }
});
