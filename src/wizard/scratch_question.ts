// The question for the scratch directory.
import { resolveConfig } from "../config/resolve.ts";
import { type Conversation, faultOf, OTHER } from "./conversation.ts";
import { configOf, type Draft } from "./draft.ts";
import { pathExists } from "../system/existence.ts";

/** Offers the configured directory and $SCRATCH, or asks for another. It is stored as typed, variables unexpanded. */
export async function askScratch(draft: Draft, conversation: Conversation): Promise<Draft> {
  const { context, path, existing } = conversation;
  const { env } = context.system;
  const known = [...new Set([draft.scratch_base, env.SCRATCH ? "$SCRATCH" : ""])].filter((base) => base !== "");
  const resolve = (base: string) =>
    resolveConfig(configOf({ ...draft, scratch_base: base, vars: {} }, existing), path, env).scratchBase;
  const usable = known.filter((base) => faultOf(() => resolve(base)) === undefined);
  for (;;) {
    const chosen = usable.length === 0 ? OTHER : await context.prompt.select({
      message: "Where is the fast scratch?",
      options: [
        ...usable.map((base) => ({
          value: base,
          label: base === resolve(base) ? base : `${base}, now ${resolve(base)}`,
        })),
        { value: OTHER, label: "Another directory" },
      ],
    });
    const base = chosen !== OTHER ? chosen : await context.prompt.text({
      message: usable.length === 0
        ? "SCRATCH is not set here. Which directory is the fast scratch?"
        : "Which directory?",
      placeholder: "/scratch/me, or with a variable: $WORK/scratch",
      check: (answer) => answer.trim() === "" ? "a directory is needed" : faultOf(() => resolve(answer.trim())),
    });
    const scratchBase = resolve(base.trim());
    // `/.` enters the directory: it may be mounted only when it is entered.
    const isThere = await pathExists(`${scratchBase}/.`);
    const isAccepted = isThere || await context.prompt.confirm({
      message: `${scratchBase} does not exist on this machine. Use it all the same?`,
      initial: false,
    });
    if (isAccepted) return { ...draft, scratch_base: base.trim() };
  }
}
