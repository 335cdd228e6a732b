// How the output of quota programs is read.
import { deepEqual, equal } from "node:assert/strict";
import { mountOf } from "../../src/system/mounts.ts";
import { askQuota, parseLfsQuota, parseLquota, parseQuota } from "../../src/tools/quota.ts";
import { testSystem } from "../support/test_system.ts";

const KIB = 1024;

Deno.test("lfs quota is read on one line or wrapped, over the limit, in brackets, without a limit; nonsense gives no limit", () => {
  const mount = "/cluster/scratch";
  const use = { used: 30372 * KIB, limit: 230686720 * KIB };
  const files = { used: 15, limit: 1100000 };
  const table: [string, unknown][] = [
    [`     ${mount}   30372  209715200 230686720       -      15 1000000 1100000       -\n`, { bytes: use, files }],
    [
      `${mount}\n                  30372  209715200 230686720       -      15 1000000 1100000       -\n`,
      { bytes: use, files },
    ],
    [
      `${mount} 30372* 20000 230686720 6d23h59m 15* 10 1100000 expired\nuid 1000 is using default block quota setting\n`,
      { bytes: use, files },
    ],
    [`${mount} [30372] 209715200 230686720 - [15] 1000000 1100000 -`, { bytes: use, files }],
    [`${mount} 30372 0 0 - 15 1000000 1100000 -`, { files }],
    [`${mount} 30372 0 0 - 15 0 0 -`, undefined],
    [`${mount} 30372 209715200`, undefined],
    [`${mount}2 30372  209715200 230686720 - 15 1000000 1100000 -`, undefined],
    ["lfs: quotactl failed: Operation not supported\n", undefined],
    ["", undefined],
  ];
  for (const [text, expected] of table) deepEqual(parseLfsQuota(text, mount), expected, text);
});

Deno.test("quota: the line of the device is read, also with a number in place of the grace time; nonsense gives no limit", () => {
  const device = "server:/vol/home";
  const row = "8642860* 16777216 20971520 1764060000 25610 80000 100000 0";
  const read = {
    bytes: { used: 8642860 * KIB, limit: 20971520 * KIB },
    files: { used: 25610, limit: 100000 },
  };
  const head = "Disk quotas for user me (uid 1000): \n     Filesystem  blocks   quota   limit   grace   files …\n";
  const table: [string, unknown][] = [
    [`${head}${device}2 1 1 1 0 1 1 1 0\n${device}  ${row}\n`, read],
    [`${head}  ${device}  ${row.replace("1764060000", "6days")}\n`, read],
    [`${head}${device} 8642860 16777216 20971520 25610 80000 100000\n`, undefined],
    [`${head}${device} 8442M 16G 20G 0 25610 80000 100000 0\n`, undefined],
    ["Disk quotas for user me (uid 1000): none\n", undefined],
    ["", undefined],
  ];
  for (const [text, expected] of table) deepEqual(parseQuota(text, device), expected, text);
});

const LQUOTA = `
+-----------------------------+-------------+------------------+------------------+------------------+
| Storage location:           | Quota type: | Used:            | Soft quota:      | Hard quota:      |
+-----------------------------+-------------+------------------+------------------+------------------+
| /cluster/home/me            | space       |          8.85 GB |         17.18 GB |         21.47 GB |
| /cluster/home/me            | files       |            25610 |            80000 |           100000 |
+-----------------------------+-------------+------------------+------------------+------------------+
| /cluster                    | space       |         16.38 kB |          2.15 GB |          2.15 GB |
| /cluster/scratch/me         | space       |        237.57 kB |          2.50 TB |          2.70 TB |
| /cluster/scratch/me         | files       |               39 |          1000000 |                - |
+-----------------------------+-------------+------------------+------------------+------------------+
`;

Deno.test("lquota: the innermost location around a path counts, in decimal units; nonsense gives no limit", () => {
  const home = { bytes: { used: 8.85e9, limit: 21.47e9 }, files: { used: 25610, limit: 100000 } };
  const table: [string, string, unknown][] = [
    [LQUOTA, "/cluster/home/me", home],
    [LQUOTA, "/cluster/home/me/.cache/hf", home],
    [LQUOTA, "/cluster/home/me2", { bytes: { used: 16380, limit: 2.15e9 } }],
    [LQUOTA, "/cluster/scratch/me/x", { bytes: { used: 237570, limit: 2.7e12 } }],
    [LQUOTA, "/tmp", undefined],
    [LQUOTA.replaceAll("B ", "apples "), "/cluster/scratch/me", undefined],
    ["| /cluster/home/me | space | 1 GB |", "/cluster/home/me", undefined],
    ["lquota: command failed", "/cluster/home/me", undefined],
    ["", "/", undefined],
  ];
  for (const [text, path, expected] of table) deepEqual(parseLquota(text, path), expected, path);
});

Deno.test("a path belongs to its innermost mount, and if a directory has several mounts, to the last", () => {
  const mounts =
    "root / ext4 rw 0 0\nserver:/a\\040b /home/a\\040b nfs rw 0 0\nold /home nfs rw 0 0\nnew /home nfs rw 0 0\n";
  equal(mountOf(mounts, "/home/a b/c")?.device, "server:/a b");
  equal(mountOf(mounts, "/home/me")?.device, "new");
  equal(mountOf(mounts, "/homes")?.device, "root");
  equal(mountOf("", "/home"), undefined);
});

/** A PATH with stand-ins for these programs. */
async function withPrograms(scripts: Record<string, string>, work: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "euler-files-quota-" });
  try {
    for (const [name, script] of Object.entries(scripts)) {
      await Deno.writeTextFile(`${directory}/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    }
    await work(`${directory}:/usr/bin:/bin`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("each file system is asked by its own program, and by lquota if that has no answer", async () => {
  const device = mountOf(await Deno.readTextFile("/proc/self/mounts"), "/proc")!.device;
  const quota = `echo "${device} 1 2 3 0 4 5 6 0"; exit 1`;
  const lfs = `echo "/proc 10 20 30 - 40 50 60 -" | grep -F "\${5}"`;
  const lquota = `[ -z "$1" ] || echo "| $1 | files | 7 | 8 | 9 |"`;
  const ask = async (fileSystemType: number, scripts: Record<string, string>) => {
    let answer: unknown;
    await withPrograms(scripts, async (PATH) => {
      const request = { path: "/proc", fileSystemType, deadlineMilliseconds: 60_000 };
      answer = await askQuota(request, { ...testSystem({ PATH }), userId: 1000 });
    });
    return answer;
  };
  const [LUSTRE, NFS, EXT4] = [0x0bd00bd0, 0x6969, 0xef53];
  deepEqual(await ask(LUSTRE, { lfs, lquota }), {
    command: "lfs quota -u 1000 /proc",
    bytes: { used: 10 * KIB, limit: 30 * KIB },
    files: { used: 40, limit: 60 },
  });
  const byLquota = { command: "lquota /proc", files: { used: 7, limit: 9 } };
  deepEqual(await ask(LUSTRE, { lfs: "exit 1", lquota }), byLquota);
  deepEqual(await ask(NFS, { lquota, quota }), byLquota);
  deepEqual(await ask(NFS, { quota }), {
    command: "quota -s",
    bytes: { used: KIB, limit: 3 * KIB },
    files: { used: 4, limit: 6 },
  });
  equal(await ask(NFS, {}), undefined);
  equal(await ask(EXT4, { quota, lfs }), undefined);
});

// The program gets a signal, but its end is not waited for: a program that hangs in the kernel may never end.
Deno.test({
  name: "a program that hangs leaves the quota unknown",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: () =>
    withPrograms({ lquota: "exec sleep 600" }, async (PATH) => {
      const request = { path: "/", fileSystemType: 0, deadlineMilliseconds: 50 };
      equal(await askQuota(request, testSystem({ PATH })), undefined);
    }),
});
