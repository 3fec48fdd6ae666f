// A test reporter that says only how many tests passed, failed and were skipped. Suites and the pseudo-test that
// stands for a file are not counted, unless one of them failed by itself.

export default async function* count(source) {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  const files = new Set();
  for await (const { type, data } of source) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.file) files.add(data.file);
    const own = data.details?.error?.failureType !== "subtestsFailed";
    if (data.skip !== undefined || data.todo !== undefined) skipped += 1;
    else if (type === "test:fail") failed += own ? 1 : 0;
    else if (data.details?.type !== "suite") passed += 1;
  }
  yield `${passed} passed, ${failed} failed, ${skipped} skipped, in ${files.size} files,`;
}
