// Buffers that go round: between reading and judging, and between threads. What is read is many times what is held at
// once, and fresh buffers for all of it would cost more memory than their content.

import { MessageChannel } from "node:worker_threads";

export type Slabs = {
  /** A buffer of at least so many bytes; what is in it is of no account. */
  take(bytes: number): ArrayBuffer;
  /** Gives back a buffer that nobody looks at any more. */
  give(slab: ArrayBuffer): void;
};

const LEAST_BYTES = 1 << 18;
// Of the larger ones that a few large files needed, none is kept.
const MOST_BYTES_KEPT = 8 << 20;

export function createSlabs(): Slabs {
  const free: ArrayBuffer[] = [];
  return {
    take(bytes) {
      const fitting = free.findIndex((slab) => slab.byteLength >= bytes);
      if (fitting >= 0) return free.splice(fitting, 1)[0]!;
      let size = LEAST_BYTES;
      while (size < bytes) size *= 2;
      return new ArrayBuffer(size);
    },
    give(slab) {
      if (slab.byteLength === 0 || slab.byteLength > MOST_BYTES_KEPT) return;
      free.push(slab);
      free.sort((a, b) => a.byteLength - b.byteLength);
    },
  };
}

/** Room in one slab for what belongs together and is not counted before it comes. */
export type Room = {
  /** Makes place for so many bytes and says where it begins. Places stay; the buffer may be replaced by a larger one. */
  reserve(bytes: number): number;
  /** The buffer as it is now, until more is reserved. */
  bytes(): Buffer;
  slab(): ArrayBuffer;
};

export function createRoom(slabs: Slabs): Room {
  let bytes = Buffer.from(slabs.take(0));
  let filled = 0;
  return {
    reserve(more) {
      if (filled + more > bytes.length) {
        const larger = Buffer.from(slabs.take(Math.max(filled + more, 2 * bytes.length)));
        bytes.copy(larger, 0, 0, filled);
        slabs.give(bytes.buffer as ArrayBuffer);
        bytes = larger;
      }
      filled += more;
      return filled - more;
    },
    bytes: () => bytes,
    slab: () => bytes.buffer as ArrayBuffer,
  };
}

const nobody = new MessageChannel().port1;
nobody.close();

/**
 * Gives the memory of a piece of a stream back at once, which nobody may look at any more. Node reads each piece into
 * a buffer of its own, and tens of megabytes of them wait for the garbage collector; one that is sent to another thread
 * is let go here, and behind a closed port there is no thread.
 */
export function letGo(piece: Buffer): void {
  const { buffer, byteLength } = piece;
  // Small buffers share one.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) nobody.postMessage(null, [buffer]);
}
