// What names of files say, and above all what they do not say.

import assert from "node:assert/strict";
import { test } from "node:test";
import { judgePath } from "./paths.ts";

const judged: Readonly<Record<string, readonly string[]>> = {
  lockfile: ["package-lock.json", "packages/a/yarn.lock", "Cargo.lock", "go.sum", ".terraform.lock.hcl"],
  vendored: [
    ...["node_modules/a/index.js", "lib/vendor/x.c", "third_party/zlib/a.c", "ios/Pods/A.m", "gradlew"],
    ...["gradle/wrapper/gradle-wrapper.properties", ".yarn/releases/yarn-3.cjs", "public/js/jquery-1.4.2.js"],
  ],
  minified: ["a.min.js", "css/site-min.css"],
  generated: [
    ...[
      "src/__snapshots__/a.test.js.snap",
      "a.js.map",
      "dist/index.js",
      "deno_dist/mod.ts",
      "api/v1/a.pb.go",
    ],
    ...[
      "x_pb2.py",
      "Form.Designer.cs",
      "zz_generated.deepcopy.go",
      "m4/ltoptions.m4",
      "x/combining.generated.js",
    ],
  ],
};

test("what tools write or others wrote is known by its name", () => {
  for (const [reason, paths] of Object.entries(judged)) {
    for (const path of paths) assert.equal(judgePath(path)?.reason, reason, path);
  }
});

const own = [
  ...["History.md", "CHANGELOG.md", "docs/guide.md", "index.d.ts", "types/express.d.ts", "test/a.test.js"],
  ...[
    "dist/README.md",
    "build/tasks.js",
    "lib/distance.js",
    "src/generated-names.ts",
    ".vscode/settings.json",
  ],
  ...["package.json", "src/lock.ts", "examples/min.js", "tests/fixtures/a/node_modules/b/index.js"],
  ...[
    "src/vendors.ts",
    "coverage.ts",
    "test/coverage/report.ts",
    "testdata/vendor/x/y.go",
    "src/jquery-adapter.js",
  ],
];

test("what people write stays, documentation, declarations, tests and changelogs too", () => {
  for (const path of own) assert.equal(judgePath(path), undefined, path);
});
