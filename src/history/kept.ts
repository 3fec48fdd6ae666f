// Contents that judging has found, kept for the changes that come next: most old contents are the new
// one of a change shortly before, and need not be asked of git and handed over again. One buffer that goes round; what
// came first goes first. Knows nothing of changes.

export type KeptContents = {
  /** The content of an id, valid until the next one is kept; `undefined` where it is not there. */
  get(oid: string): Buffer | undefined;
  /** Keeps a content unless it is too large. */
  keep(oid: string, content: Buffer): void;
  /** The ids that went since this was last asked. */
  takeGone(): readonly string[];
};

// Of expressjs/express it spares nine questions in ten, of eslint/eslint seven; twice as much would spare eight of those.
const ROOM_BYTES = 8 << 20;
/** One content takes no more than this part of the room. */
const PARTS = 16;

type Place = { readonly at: number; readonly size: number };

/** `mostBytes` is the size up to which a content may be an old one. */
export function createKept(mostBytes: number, roomBytes = ROOM_BYTES): KeptContents {
  const room = Buffer.allocUnsafeSlow(roomBytes);
  // In the order in which they were kept, which is that of their places from `end` on around.
  const places = new Map<string, Place>();
  const most = Math.min(mostBytes, roomBytes / PARTS);
  let end = 0;
  let gone: string[] = [];
  /** Lets go what begins between two places, which is the oldest. */
  const clear = (from: number, to: number) => {
    for (const [oid, { at }] of places) {
      if (at < from || at >= to) return;
      places.delete(oid);
      gone.push(oid);
    }
  };
  return {
    get(oid) {
      const place = places.get(oid);
      return place && room.subarray(place.at, place.at + place.size);
    },
    keep(oid, content) {
      const size = content.length;
      if (places.has(oid) || size > most) return;
      if (end + size >= roomBytes) {
        clear(end, roomBytes);
        end = 0;
      }
      clear(end, end + size);
      content.copy(room, end);
      places.set(oid, { at: end, size });
      end += size;
    },
    takeGone() {
      const taken = gone;
      gone = [];
      return taken;
    },
  };
}
