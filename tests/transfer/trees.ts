// Trees for the transfer tests: with everything that copies get wrong, their exact listing, and the transfer of one
// into another.
import { type TransferRequest } from "../../src/transfer/transfer.ts";
import { type FaultyCalls, faultyCalls, type FaultyCallsOptions, type Hook } from "../support/faulty_calls.ts";
import { testNeeding } from "../support/needs.ts";
import type { System } from "../../src/system/system.ts";

/**
 * A temporary directory that is removed by `await using`, even if modes forbid it; with `in memory` on a tmpfs if there
 * is one.
 */
export async function temporaryDirectory(
  where: "on disk" | "in memory" = "on disk",
): Promise<{ path: string } & AsyncDisposable> {
  const hasMemory = where === "in memory" && await Deno.stat("/dev/shm").then(() => true, () => false);
  const path = await Deno.makeTempDir({ prefix: "euler-files-test-", ...(hasMemory ? { dir: "/dev/shm" } : {}) });
  return {
    path,
    async [Symbol.asyncDispose]() {
      await shell(`chmod -R u+rwx ${path}; rm -rf ${path}`);
    },
  };
}

/** Runs a shell script, fails if it fails, and returns its stdout. */
export async function shell(script: string, cwd = "/"): Promise<string> {
  const output = await new Deno.Command("bash", { args: ["-euc", script], cwd }).output();
  if (!output.success) throw new Error(`${script}: ${new TextDecoder().decode(output.stderr)}`);
  return new TextDecoder().decode(output.stdout);
}

/** What a transfer needs of the system. */
export function testSystem(signal: AbortSignal = new AbortController().signal): System {
  const env = Deno.env.toObject();
  return {
    env,
    signal,
    now: () => Date.now(),
    cwd: "/",
    executable: "",
    processId: Deno.pid,
    hostName: "here",
    userId: Deno.uid() ?? -1,
  } as unknown as System;
}

/**
 * A system whose PATH begins with these shell scripts: programs that do their work and something else meanwhile. In
 * them `$REAL` is the program that they replace.
 */
export async function systemWith(directory: string, scripts: Readonly<Record<string, string>>): Promise<System> {
  const system = testSystem();
  await Deno.mkdir(directory);
  for (const [name, script] of Object.entries(scripts)) {
    const real = (await shell(`command -v ${name}`)).trim();
    await Deno.writeTextFile(`${directory}/${name}`, `#!/bin/bash\nREAL=${real}\n${script}\n`, { mode: 0o755 });
  }
  return { ...system, env: { ...system.env, PATH: `${directory}:${system.env.PATH}` } };
}

/** A system in which a hook sees each call before it is made; `calls` returns their number. */
export function systemCalling(hook: Hook, options: FaultyCallsOptions = {}): { system: System; calls: FaultyCalls } {
  const calls = faultyCalls(hook, options);
  return { calls, system: { ...testSystem(), calls: calls.calls } };
}

/** A request with the usual values. */
export function requestFor(from: string, to: string, changes: Partial<TransferRequest> = {}): TransferRequest {
  return {
    ...{
      from,
      to,
      intent: "stage-new",
      depth: "trust-record",
      engine: "auto",
      extraArgs: [],
      record: undefined,
    },
    ...changes,
  };
}

/** The differences that `rsync -aH OPTIONS` finds between two trees; empty if they are equal, to the nanosecond. */
export async function differences(from: string, to: string, ...options: readonly string[]): Promise<string> {
  const rsync = ["rsync -aHn --checksum --delete --modify-window=-1 --itemize-changes", ...options].join(" ");
  return await shell(`${rsync} '${from}/' '${to}/'`);
}

/** Registers a test that runs what {@linkcode makeNastyTree} and {@linkcode differences} run. */
export function testTrees(name: string, run: () => Promise<void>): void {
  testNeeding(["rsync", "python3"], name, run);
}

/** A tree with everything that copies get wrong; only root can add a file of another user. */
export async function makeNastyTree(root: string): Promise<void> {
  await shell(
    `
    mkdir -p plain/deep/er empty readonly/inner 'with space' $'new\\nline' $'odd\\xff' holes links hard/a hard/b
    echo one >plain/one; echo two >plain/deep/er/two; : >plain/empty
    echo three >'with space/na me'; echo four >$'new\\nline/f\\nour'; echo five >$'odd\\xff/fi\\xfeve'
    echo six >-dash; echo seven >'#hash'; echo eight >' lead'; echo nine >$'tab\\t*?[x]\\\\'
    truncate -s 3M holes/sparse; printf end >>holes/sparse; head -c 300000 /dev/urandom >holes/full
    ln -s nowhere links/dangling; ln -s ../plain/one links/file; ln -s .. links/loop; ln -s $'odd\\xfe' links/odd
    echo linked >hard/a/x; ln hard/a/x hard/b/y; ln hard/a/x hard/z; echo pair >hard/p; ln hard/p hard/q
    mkfifo fifo; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
    echo locked >readonly/inner/file; chmod 0640 plain/one; chmod 4755 plain/deep/er/two; chmod 0444 'with space/na me'
    touch -d '1950-01-02 03:04:05.678901234 UTC' plain/one; touch -d '@-0.25' plain/deep; touch -h -d '@1234567890.000000001' links/dangling
    touch -d '@1000000000.999999999' empty; touch -d '@1600000000.5' plain/empty
    echo theirs >theirs; [ $(id -u) -ne 0 ] || chown 65534:65534 theirs
    chmod 0555 readonly/inner readonly; chmod 0700 empty`,
    root,
  );
}
