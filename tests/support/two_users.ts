// Two users of one group, for tests of what one can do to the other: only root can be both.
import { testUnless } from "./needs.ts";
import type { UserIds } from "./world.ts";

/** Who runs the program. */
export const VICTIM: UserIds = { uid: 64001, gid: 64000 };

/** Who plants something. */
export const ATTACKER: UserIds = { uid: 64002, gid: 64000 };

/** Registers a test that needs root. */
export function asRoot(name: string, run: () => void | Promise<void>): void {
  testUnless(Deno.uid() === 0 ? undefined : "needs root, to be two users", name, run);
}
