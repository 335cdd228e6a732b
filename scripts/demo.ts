// The main job on real files, in a throw-away home and scratch: `deno task demo`. It shows each command and what it printed.
import { describePreparation, prepare, tell } from "./prepare.ts";
import { sourceProgram } from "./source_program.ts";
import { formatDuration, formatFiles, formatSize } from "../src/text/format.ts";
import { writeHubCache, writeModel } from "./demo_cache.ts";

const COLOUR = Deno.stdout.isTerminal() && !Deno.env.get("NO_COLOR");

function print(text: string): void {
  const bytes = new TextEncoder().encode(`${text}\n`);
  for (let written = 0; written < bytes.length;) written += Deno.stdout.writeSync(bytes.subarray(written));
}

function paint(codes: string, text: string): string {
  return COLOUR ? `\x1b[${codes}m${text}\x1b[0m` : text;
}

/** What happens next, in a sentence. */
function tellStory(sentence: string): void {
  print(`\n${paint("1", sentence)}`);
}

/** Shows a command as a person types it and runs it in bash; the next command gets the environment it leaves. */
async function type(world: { env: Record<string, string> }, command: string): Promise<void> {
  print(paint("36", `$ ${command}`));
  const started = performance.now();
  const child = new Deno.Command("bash", {
    // `status` is set before `env` runs, so that it is the exit code of the command.
    args: ["--norc", "--noprofile", "-c", `{ ${command}\n} 2>&1; status=$?; env -0 >"$HOME/.env"; exit $status`],
    env: world.env,
    clearEnv: true,
    cwd: world.env.HOME ?? "/",
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  const { code } = await child.status;
  const duration = formatDuration((performance.now() - started) / 1000);
  print(paint("2", code === 0 ? `(${duration})` : `(exit ${code} after ${duration})`));
  if (code !== 0) throw new Error(`"${command}" failed`);
  const kept = (await Deno.readTextFile(`${world.env.HOME}/.env`)).split("\0").filter((line) => line.includes("="));
  world.env = Object.fromEntries(
    kept.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
}

async function demo(root: string): Promise<void> {
  const program = await sourceProgram();
  const home = `${root}/home`;
  const cache = `${home}/.cache/huggingface`;
  for (const directory of [cache, `${root}/scratch`]) await Deno.mkdir(directory, { recursive: true });
  const made = await writeHubCache(cache);
  const world = {
    env: {
      HOME: home,
      SCRATCH: `${root}/scratch`,
      PATH: `${program.slice(0, program.lastIndexOf("/"))}:${Deno.env.get("PATH") ?? "/usr/bin:/bin"}`,
      LANG: "C.UTF-8",
      ...(COLOUR ? { FORCE_COLOR: "1" } : {}),
    } as Record<string, string>,
  };
  print(`HOME=${home}`);
  print(`SCRATCH=${root}/scratch`);

  tellStory(`A Hugging Face cache at home: ${formatFiles(made.files)}, ${formatSize(made.bytes)}`);
  await type(
    world,
    `euler-files init --input-json - <<END
{"scratch_base": "\\$SCRATCH", "vars": {"HF_HOME": {"source": "$HOME/.cache/huggingface"}}}
END`,
  );
  tellStory("A job starts: everything is copied to scratch, and the job's tools look there");
  await type(world, 'eval "$(euler-files sync || echo false)"');
  await type(world, "echo $HF_HOME");

  tellStory("The next job: nothing to copy; this is what its shell evaluates");
  await type(world, "euler-files sync");
  await type(world, "euler-files status");

  tellStory("A model is added at home: only that is copied");
  await writeModel(cache, "lab/added-at-home", 8_000_000);
  await type(world, 'eval "$(euler-files sync || echo false)"');

  tellStory("A job downloads a model to scratch: it is brought home");
  await writeModel(world.env.HF_HOME ?? "", "lab/downloaded-by-the-job", 8_000_000);
  await type(world, "euler-files push");
  await type(
    world,
    'diff --recursive --no-dereference ~/.cache/huggingface "$HF_HOME" && echo "home and scratch are the same"',
  );
}

const preparation = await prepare("demo");
tell(describePreparation(preparation));
if (preparation.missing.length > 0) Deno.exit(1);

const root = await Deno.realPath(await Deno.makeTempDir({ prefix: "euler-files-demo-" }));
Deno.addSignalListener("SIGINT", () => {
  Deno.removeSync(root, { recursive: true });
  Deno.exit(130);
});
try {
  await demo(root);
} catch (error) {
  tell([`error: ${error instanceof Error ? error.message : String(error)}`]);
  Deno.exitCode = 1;
} finally {
  await Deno.remove(root, { recursive: true });
}
