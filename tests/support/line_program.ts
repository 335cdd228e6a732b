// A Python program that answers each line of its input with one line, and so can hold files open while a test does
// something else.

/** The running program. */
export interface LineProgram extends AsyncDisposable {
  /** Sends a line and returns the answer. */
  ask(line: string): Promise<string>;
  /** Closes its stdin and waits until it has ended. */
  close(): Promise<void>;
  /** Ends it as `kill -9` does. */
  kill(): Promise<void>;
}

/** Starts a program that prints one line when it is ready. */
export async function startLineProgram(
  code: string,
  args: readonly string[],
  python = "python3",
): Promise<LineProgram> {
  const child = new Deno.Command(python, { args: ["-c", code, ...args], stdin: "piped", stdout: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let hasEnded = false;
  const answer = async () => {
    let line = "";
    while (!line.endsWith("\n")) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`the program ended: ${line}`);
      line += value;
    }
    return line.trim();
  };
  const end = async (how: "close" | "kill") => {
    if (hasEnded) return;
    hasEnded = true;
    if (how === "close") await writer.close();
    else child.kill("SIGKILL");
    await child.status;
    await reader.cancel().catch(() => {});
    await writer.abort().catch(() => {});
  };
  await answer();
  return {
    async ask(line) {
      await writer.write(new TextEncoder().encode(`${line}\n`));
      return await answer();
    },
    close: () => end("close"),
    kill: () => end("kill"),
    [Symbol.asyncDispose]: () => end("kill"),
  };
}
