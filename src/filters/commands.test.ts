// Flags that hold passwords, and the same flags for something else.

import assert from "node:assert/strict";
import { test } from "node:test";
import { commandAnchors, hasCommandLogin } from "./commands.ts";

const PASSWORD = ["Xq7Lm2", "Rv9TzB"].join("");

test("passwords for programs", () => {
  for (const line of [
    `mysqldump -h db -uroot -p${PASSWORD} app > app.sql`,
    `mariadb -p"${PASSWORD}"`,
    `sshpass -p${PASSWORD} scp a.tgz deploy@db1:`,
    `helm registry login -u ci -p ${PASSWORD} r.northwind.dev`,
    `mongo admin -u root -p ${PASSWORD} --eval "db.stats()"`,
    `cqlsh -u app -p ${PASSWORD} db1`,
    `sqlcmd -S db -U sa -P ${PASSWORD} -i a.sql`,
    `unzip -P ${PASSWORD} backup.zip`,
    `7z a -p${PASSWORD} -mhe=on b.7z data/`,
    `ssh-keygen -t ed25519 -N '${PASSWORD}' -f key`,
    `openssl aes-256-cbc -in a -out b -k ${PASSWORD} -d`,
    `snmpwalk -v3 -u ada -A ${PASSWORD} host`,
    `htpasswd -bc .htpasswd ada ${PASSWORD}`,
    `rabbitmqctl add_user app ${PASSWORD}`,
    `vault login ${PASSWORD}`,
    `net use \\\\files\\a ${PASSWORD} /user:ada`,
    `echo ${PASSWORD} | sudo -S apt-get update`,
    `printf '${PASSWORD}' | passwd --stdin ada`,
    `curl -s -u"ci:${PASSWORD}" https://ci.northwind.dev`,
    `curl -x proxy:80 --proxy-user ci:${PASSWORD} https://northwind.dev`,
    `smbclient //files/a -U ada%${PASSWORD}`,
    `lftp -u ada,${PASSWORD} ftp.northwind.dev`,
    `sqlplus -s app/${PASSWORD}@orcl`,
    `db, err := sql.Open("mysql", "app:${PASSWORD}@tcp(db:3306)/app")`,
  ]) {
    assert.ok(hasCommandLogin(line), line);
    assert.ok(
      commandAnchors.some((anchor) => line.toLowerCase().includes(anchor)),
      line,
    );
  }
});

test("ports, variables and words are none", () => {
  for (const line of [
    "mysql -h db -P 3306 -p app",
    `mysql -p"${"$"}{MYSQL_ROOT_PASSWORD}" app`,
    "docker run -p 127.0.0.1:8080:80 --rm login",
    "curl -u alice:12345 https://northwind.dev",
    "curl -u user:correcthorse https://northwind.dev",
    "git push -u origin:feature/login2Form",
    "openssl req -new -k server.key.pem",
    "echo hello-world-2 | base64",
    `mkdir -p ${PASSWORD}`,
  ]) {
    assert.ok(!hasCommandLogin(line), line);
  }
});
