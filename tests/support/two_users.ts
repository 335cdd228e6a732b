// Two users of one group, for tests of what one can do to the other. Only root can act as both.
import { testUnless } from "./needs.ts";
import type { UserIds } from "./world.ts";

/** The user who runs the program. */
export const VICTIM: UserIds = { uid: 64001, gid: 64000 };

/** The user who attacks. */
export const ATTACKER: UserIds = { uid: 64002, gid: 64000 };

/** Registers a test that needs root. */
export function asRoot(name: string, run: () => void | Promise<void>): void {
  testUnless(Deno.uid() === 0 ? undefined : "needs root, to be two users", name, run);
}
