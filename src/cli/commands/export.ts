// codefudge export: a dataset in, the same in a form that other programs read out.

import { join, resolve } from "node:path";
import { UsageError } from "../../base/errors.ts";
import { DEFAULT_FORMAT, type FormatName, formats } from "../../dataset/format.ts";
import { splits } from "../../dataset/store.ts";
import type { FormName } from "../../forms/form.ts";
import type { FormManifest } from "../../forms/manifest.ts";
import { forms } from "../../forms/table.ts";
import { writeForm } from "../../forms/write.ts";
import { defineCommand } from "../command.ts";
import { withLock } from "../lock.ts";
import { datasetStep } from "../steps/dataset.ts";
import type { Face } from "../steps/face.ts";
import { formatPairs } from "../table.ts";
import { formatCount } from "../units.ts";
import { repositoryRoot, requireOwnWorkspace, workspaceOf } from "../workspace.ts";

const FORMS = Object.values(forms);

export const command = defineCommand({
  name: "export",
  summary: "Writes a dataset in a form for other programs: Parquet, prompts and completions, that of 2022",
  args: [
    {
      name: "dataset",
      help: "Dataset folder, or a folder in one of the forms that can be read back",
      unset: ".codefudge/dataset",
      required: false,
    },
  ],
  options: {
    form: {
      type: "string",
      default: "parquet",
      choices: FORMS.map(({ name }) => name),
      help: FORMS.map(({ name, summary }) => `${name}: ${summary}`).join("; "),
      value: "FORM",
    },
    output: {
      type: "string",
      default: null,
      short: "o",
      help: "Folder, new or empty or of an earlier export",
      unset: ".codefudge/export/FORM",
      value: "DIR",
    },
    format: {
      type: "string",
      default: DEFAULT_FORMAT,
      choices: Object.keys(formats),
      help: "Form of the answer in prompt-completion and messages",
      value: "FORM",
    },
  },
  examples: [
    ["export", "The dataset of the repository here as Parquet, with a dataset card"],
    ["export --form prompt-completion --format diff -o texts", "For a trainer that takes plain texts"],
    ["export ../old/pairs --form parquet -o pairs", "A folder of .file and .commit pairs of 2022 as Parquet"],
  ],
  async run({ args, options, out, progress, signal, cwd }) {
    const face = { out, progress, signal, json: options.json };
    await requireOwnWorkspace(cwd, signal);
    const workspace = workspaceOf(repositoryRoot(cwd));
    const given = args.dataset === undefined ? workspace.dataset : resolve(cwd, args.dataset);
    const form = options.form as FormName;
    const folder =
      options.output === null ? join(workspace.root, "export", form) : resolve(cwd, options.output);
    if (folder === given) {
      throw new UsageError(
        "Expected --output to be another folder than the dataset, found the same; give a new one",
      );
    }
    const dataset = await datasetStep(given, cwd, face);
    const manifest = await withLock(folder, "or export to another folder with --output DIR", () =>
      follow({ dataset, folder }, { form, format: options.format as FormatName }, face),
    );
    if (options.json) out.json({ folder, ...manifest });
    else for (const line of formatPairs(describe(folder, manifest))) out.line(line);
    return 0;
  },
});

async function follow(
  paths: Parameters<typeof writeForm>[0],
  options: Parameters<typeof writeForm>[1],
  face: Face,
): Promise<FormManifest> {
  const events = writeForm(paths, options, face.signal);
  let next = await events.next();
  for (; !next.done; next = await events.next()) {
    const { done, total } = next.value;
    face.progress.update({ label: "export", done, total, unit: "examples" });
  }
  face.progress.finish();
  return next.value;
}

function describe(folder: string, { form, format, examples, dropped }: FormManifest): [string, string][] {
  return [
    ["form", format === null ? form : `${form} (${format})`],
    ["examples", splits.map((split) => `${formatCount(examples[split])} ${split}`).join(", ")],
    ...Object.entries(dropped).map(([reason, count]): [string, string] => [
      `left out: ${reason}`,
      formatCount(count),
    ]),
    ["folder", folder],
  ];
}
