// git cuts the text after a hunk's second "@@" at 80 bytes, wherever that falls in a character. This takes the
// broken character off, so that the rest of the diff can be decoded; the heading is decoration and is never applied.

const NEWLINE = 10;

/** The section with only whole characters in its hunk headings; what is in the hunks is not touched. */
export function repairHeadings(section: Buffer): Buffer {
  const parts: Buffer[] = [];
  let oldLeft = 0;
  let newLeft = 0;
  for (let start = 0; start < section.length; ) {
    const end = section.indexOf(NEWLINE, start) + 1 || section.length;
    const line = section.subarray(start, end);
    start = end;
    if (oldLeft > 0 || newLeft > 0) {
      if (line[0] === 0x20 || line[0] === 0x2d) oldLeft--;
      if (line[0] === 0x20 || line[0] === 0x2b) newLeft--;
      parts.push(line);
      continue;
    }
    const counts = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(line.toString("latin1", 0, 80));
    oldLeft = counts ? Number(counts[1] ?? 1) : 0;
    newLeft = counts ? Number(counts[2] ?? 1) : 0;
    parts.push(counts ? withoutBrokenEnd(line) : line);
  }
  return Buffer.concat(parts);
}

// A UTF-8 character is one lead byte (11xxxxxx) and one to three that continue it (10xxxxxx).
function withoutBrokenEnd(line: Buffer): Buffer {
  const end = line.length - 1;
  let lead = end - 1;
  while (lead > 0 && end - lead < 4 && (line[lead]! & 0xc0) === 0x80) lead--;
  const byte = line[lead]!;
  const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
  return needed > end - lead ? Buffer.concat([line.subarray(0, lead), line.subarray(end)]) : line;
}
