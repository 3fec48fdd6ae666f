// What the name of a file says: files that a tool writes, or that come from elsewhere. Deliberately narrower than
// GitHub's linguist, which takes documentation, type declarations, tests and changelogs for noise: people write those
// by hand, and a model of a repository should learn them. The names are those that the tools themselves document.

import type { Verdict } from "./verdict.ts";

type PathRule = {
  readonly reason: "lockfile" | "vendored" | "generated" | "minified";
  readonly detail: string;
  readonly pattern: RegExp;
};

/** In the order in which they are asked; the first that fits names the reason. */
export const pathRules: readonly PathRule[] = [
  {
    reason: "lockfile",
    detail: "a package manager's resolved versions",
    pattern: named(
      ...["package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"],
      ...[
        "deno.lock",
        "composer.lock",
        "Gemfile.lock",
        "gems.locked",
        "Cargo.lock",
        "poetry.lock",
        "Pipfile.lock",
      ],
      ...[
        "pdm.lock",
        "uv.lock",
        "pixi.lock",
        "conda-lock.yml",
        "go.sum",
        "go.work.sum",
        "Gopkg.lock",
        "glide.lock",
      ],
      ...["flake.lock", "mix.lock", "rebar.lock", "pubspec.lock", "Podfile.lock", "Cartfile.resolved"],
      ...["Package.resolved", "packages.lock.json", "paket.lock", "project.assets.json", "gradle.lockfile"],
      ...[
        "buildscript-gradle.lockfile",
        ".terraform.lock.hcl",
        "conan.lock",
        "MODULE.bazel.lock",
        "Chart.lock",
      ],
      ...[
        "stack.yaml.lock",
        "cabal.project.freeze",
        "spago.lock",
        "shard.lock",
        "Berksfile.lock",
        "elm.lock",
      ],
    ),
  },
  {
    reason: "vendored",
    detail: "a folder of other people's code",
    pattern: below(
      ...[
        "node_modules",
        "bower_components",
        "jspm_packages",
        "web_modules",
        "vendor",
        "vendors",
        "vendored",
      ],
      ...[
        "third[-_]?party",
        "3rd[-_]?party",
        "Pods",
        "Carthage",
        "Godeps",
        "site-packages",
        "\\.?venv",
        "\\.bundle",
      ],
      "\\.yarn/(?:releases|plugins|sdks|cache|unplugged|versions)",
    ),
  },
  {
    reason: "vendored",
    detail: "a build tool's wrapper",
    pattern: /(?:^|\/)(?:gradlew(?:\.bat)?|gradle\/wrapper\/[^/]+|mvnw(?:\.cmd)?|\.mvn\/wrapper\/[^/]+)$/,
  },
  { reason: "minified", detail: "its name says so", pattern: /[.-]min\.(?:js|cjs|mjs|css|html)$/i },
  {
    reason: "vendored",
    detail: "a copy of a well-known library",
    pattern:
      /(?:^|\/)(?:jquery(?:[.-]\d[\w.-]*)?|jquery[.-]ui(?:[.-]\d[\w.-]*)?|prototype|mootools[\w.-]*|bootstrap(?:\.bundle)?|modernizr[\w.-]*|d3(?:\.v\d+)?|three|html5shiv|require)\.js$/i,
  },
  {
    reason: "generated",
    detail: "a test runner's recording",
    pattern:
      /(?:^|\/)__snapshots__\/|\.snap$|(?:^|\/)(?:\.nyc_output|coverage)\/(?:.*\/)?[^/]+\.(?:html|json|info|js|css|xml|out)$/,
  },
  {
    reason: "generated",
    detail: "a source map",
    pattern: /\.(?:js|mjs|cjs|css|d\.ts|ts|jsx|tsx)\.map$/i,
  },
  {
    reason: "generated",
    detail: "output of a bundler",
    pattern:
      /(?:^|\/)(?:deno_)?dist\/(?:.*\/)?[^/]+\.(?:[cm]?[jt]sx?|css|html)$|\.(?:bundle|chunk)\.(?:js|css)$/,
  },
  {
    reason: "generated",
    detail: "output of a compiler of interfaces or a code generator",
    pattern:
      /\.pb(?:\.gw|\.validate)?\.(?:go|cc|h|c|swift|dart|rb|ts|js)$|_pb2(?:_grpc)?\.pyi?$|_(?:grpc_)?pb\.(?:js|d\.ts)$|\.(?:g|freezed|gr|mocks)\.dart$|\.(?:g|designer|generated)\.(?:cs|vb)$|[._-]generated\.\w+$|(?:^|\/)zz_generated[\w.-]*$|(?:^|\/)__generated__\/|(?:^|\/)\.pnp\.(?:c?js|loader\.mjs|data\.json)$/i,
  },
  {
    reason: "generated",
    detail: "output of the GNU build tools",
    pattern: named(
      ...[
        "aclocal.m4",
        "config.guess",
        "config.sub",
        "config.h.in~",
        "ltmain.sh",
        "libtool.m4",
        "ltoptions.m4",
      ],
      ...["ltsugar.m4", "ltversion.m4", "lt~obsolete.m4", "depcomp", "install-sh", "mkinstalldirs", "ylwrap"],
    ),
  },
  {
    reason: "generated",
    detail: "a file of a program with a window",
    pattern: /\.(?:nib|xcworkspacedata|xcuserstate|pbxproj|storyboardc)$/,
  },
];

/** What stands in for other people's code and for build output in tests is written by hand. */
const FIXTURES = /^.*(?:^|\/)(?:__)?(?:test[-_]?)?(?:fixtures?|testdata)(?:__)?\/.*\//i;

/** What the path alone says against a file. */
export function judgePath(path: string): Verdict | undefined {
  const own = path.replace(FIXTURES, "");
  const rule = pathRules.find(({ pattern }) => pattern.test(own));
  return rule && { reason: rule.reason, detail: rule.detail };
}

function named(...names: readonly string[]): RegExp {
  return new RegExp(`(?:^|/)(?:${names.map((name) => name.replace(/[.~]/g, "\\$&")).join("|")})$`);
}

function below(...folders: readonly string[]): RegExp {
  return new RegExp(`(?:^|/)(?:${folders.join("|")})/`, "i");
}
