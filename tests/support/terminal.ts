// A real pseudo-terminal with a user's keys: tmux holds it, so that a test sees the screen instead of the escape codes.
import type { World } from "./world.ts";

/** A terminal in which one shell script runs. `await using` ends it. */
export interface Terminal extends AsyncDisposable {
  /** Types keys by tmux's names: `Enter`, `Space`, `Down`, `C-c`; any other text is typed as it is. */
  press(...keys: string[]): Promise<void>;
  /** The screen as text, without blanks at the ends of lines. */
  screen(): Promise<string>;
  /**
   * Waits until the text is on the screen, its lines joined, and returns the screen; throws with the screen if it does
   * not appear.
   */
  shows(text: string): Promise<string>;
}

/** The size of the terminal and what else the script finds in its environment. */
export interface TerminalOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: Readonly<Record<string, string | null>>;
}

const PATIENCE_SECONDS = 60;

/** Opens a terminal that runs a script for `sh`, and stays open after its end with `ended with CODE` as the last line. */
export async function openTerminal(world: World, script: string, options: TerminalOptions = {}): Promise<Terminal> {
  const { columns = 140, rows = 50, env = {} } = options;
  const socket = world.path(`tmp/tmux-${crypto.randomUUID().slice(0, 8)}`);
  const tmux = async (...args: string[]) => {
    const run = await world.exec("tmux", ["-S", socket, "-f", "/dev/null", ...args], { env });
    if (run.code !== 0) throw new Error(`tmux ${args[0]} failed: ${run.stderr}`);
    return run.stdout;
  };
  const command = `${script}\necho "ended with $?"\nexec sleep 600`;
  await tmux("new-session", "-d", "-x", String(columns), "-y", String(rows), command);
  const screen = async () => (await tmux("capture-pane", "-p")).replace(/[ \t]+$/gm, "").trimEnd();
  return {
    press: async (...keys) => void await tmux("send-keys", ...keys),
    screen,
    async shows(text) {
      for (let tries = PATIENCE_SECONDS * 10; tries > 0; tries--) {
        const seen = await screen();
        // Lines are broken at the width of the window, and prompts draw a bar before each.
        if (seen.replace(/[\s│]+/g, " ").includes(text.replace(/ +/g, " "))) return seen;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      throw new Error(`"${text}" doesn't come on the screen:\n${await screen()}`);
    },
    async [Symbol.asyncDispose]() {
      await tmux("kill-server").catch(() => {});
    },
  };
}
