// Whether the licence of a repository is found by its words, wherever its lines break.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { makeRepository, withFolder } from "../../test/repository.ts";
import { guessLicense, licenseOf } from "./license.ts";
import { openShadow } from "./shadow.ts";

const MIT = "Permission is hereby granted, free of charge, to any person obtaining\na copy of this software";
const ISC = `Permission to use, copy, modify, and/or distribute this software for any
purpose with or without fee is hereby granted, provided that the above copyright notice and this permission notice appear in all copies.`;

test("phrases tell licences apart", () => {
  assert.equal(licenseOf(MIT), "MIT");
  assert.equal(licenseOf(ISC), "ISC");
  assert.equal(
    licenseOf("                 Apache License\n           Version 2.0, January 2004"),
    "Apache-2.0",
  );
  const bsd = "Redistribution and use in source and binary forms, with or without";
  assert.equal(licenseOf(bsd), "BSD-2-Clause");
  assert.equal(licenseOf(`${bsd}\n3. Neither the name of`), "BSD-3-Clause");
  assert.equal(licenseOf("GNU GENERAL PUBLIC LICENSE\n Version 2, June 1991"), "GPL-2.0");
  assert.equal(licenseOf("All rights reserved"), null);
});

test("the file of the commit that is checked out is read, whatever its usual name", async () => {
  await withFolder(async (folder) => {
    for (const [name, wanted] of [
      ["LICENSE", "MIT"],
      ["license.md", "MIT"],
      ["NOTICE", null],
    ] as const) {
      const repository = await makeRepository(join(folder, name), [{ files: { [name]: MIT } }]);
      const shadow = await openShadow(repository);
      assert.equal(await guessLicense(shadow), wanted);
      shadow.dispose();
    }
  });
});
