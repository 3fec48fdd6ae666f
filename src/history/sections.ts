// Where the sections of a log lie between parsing and judging: side by side in a few buffers that go round. As buffers of
// their own they would outlive a sweep of the young and wait by the ten megabytes for the whole heap to be looked through.

export type Sections = {
  /** A copy of these bytes, which stays until it is freed. */
  keep(bytes: Uint8Array): Buffer;
  /** Says that nobody looks at what `keep` gave any more, once for each. */
  free(kept: Buffer): void;
};

const BUFFER_BYTES = 1 << 18;

/** A buffer that is filled from its beginning, and how many sections in it are not freed. */
type Shelf = { readonly bytes: Buffer; filled: number; living: number };

export function createSections(): Sections {
  const shelves = new Map<ArrayBufferLike, Shelf>();
  const empty: Shelf[] = [];
  let open: Shelf | undefined;
  const shelfFor = (size: number): Shelf => {
    if (open !== undefined && open.filled + size <= open.bytes.length) return open;
    if (open?.living === 0) release(open);
    // One that is larger than the others is not kept.
    const shelf = size > BUFFER_BYTES ? undefined : empty.pop();
    open = shelf ?? { bytes: Buffer.allocUnsafeSlow(Math.max(size, BUFFER_BYTES)), filled: 0, living: 0 };
    shelves.set(open.bytes.buffer, open);
    return open;
  };
  const release = (shelf: Shelf) => {
    shelves.delete(shelf.bytes.buffer);
    shelf.filled = 0;
    if (shelf.bytes.length === BUFFER_BYTES) empty.push(shelf);
  };
  return {
    keep(bytes) {
      const shelf = shelfFor(bytes.length);
      const at = shelf.filled;
      shelf.bytes.set(bytes, at);
      shelf.filled += bytes.length;
      shelf.living++;
      return shelf.bytes.subarray(at, shelf.filled);
    },
    free({ buffer }) {
      const shelf = shelves.get(buffer)!;
      if (--shelf.living > 0) return;
      if (shelf === open) shelf.filled = 0;
      else release(shelf);
    },
  };
}
