// The copy of an image is continued after an interruption, is complete or missing, and is never another file than the
// built one.
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { copyVerified } from "../../src/apptainer/verified_copy.ts";
import { EIO, ENOSPC } from "../../src/posix/errno.ts";
import { faultyCalls, type Hook } from "../support/faulty_calls.ts";
import { namesIn } from "../support/image_world.ts";
import { testSystem } from "../support/test_system.ts";
import { makeWorld, type World } from "../support/world.ts";

const MIB = 1024 * 1024;

interface Image extends AsyncDisposable {
  readonly world: World;
  readonly source: string;
  readonly target: string;
  readonly content: Uint8Array<ArrayBuffer>;
  readonly sha256: string;
}

async function makeImage(sizeBytes: number): Promise<Image> {
  const world = await makeWorld();
  const content = new Uint8Array(sizeBytes);
  for (let start = 0; start < sizeBytes; start += 65536) {
    crypto.getRandomValues(content.subarray(start, Math.min(sizeBytes, start + 65536)));
  }
  await Deno.mkdir(world.path("scratch/sif"));
  await Deno.writeFile(world.path("home/env.sif"), content);
  return {
    ...{ world, content, source: world.path("home/env.sif"), target: world.path("scratch/sif/env.sif") },
    sha256: createHash("sha256").update(content).digest("hex"),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

function copy(image: Image, hook: Hook = () => {}, signal?: AbortSignal) {
  const { source, target, sha256 } = image;
  const system = { ...testSystem({}, signal), calls: faultyCalls(hook).calls };
  return copyVerified({ source, target, sha256, onProgress() {} }, system);
}

/** Stops a copy when that many bytes were read. */
async function stopAfter(image: Image, stopBytes: number): Promise<void> {
  const controller = new AbortController();
  let readBytes = 0;
  const stopped = copy(image, ({ name, args }) => {
    if (name === "pread") readBytes += args[2] as number;
    if (name === "copyFileRange") readBytes += args[4] as number;
    if (readBytes > stopBytes) controller.abort(new Error("stopped"));
  }, controller.signal);
  await rejects(stopped, { message: "stopped" });
}

Deno.test("an image arrives with its checksum and is executable, and nothing else is left beside it", async () => {
  await using image = await makeImage(130 * MIB + 17);
  const progress: number[] = [];
  const { source, target, sha256, content } = image;
  const onProgress = (done: number) => progress.push(done);
  const outcome = await copyVerified({ source, target, sha256: undefined, onProgress }, testSystem());
  deepEqual(outcome, { sizeBytes: content.length, sha256, resumedBytes: 0 });
  equal(progress.at(-1), content.length);
  ok(Buffer.from(await Deno.readFile(target)).equals(content));
  equal((await Deno.stat(target)).mode! & 0o777, 0o700);
  deepEqual(await namesIn(image.world.path("scratch/sif")), ["env.sif"]);
});

Deno.test("a copy that was stopped is continued; a damaged first part is found by the checksum and copied again", async () => {
  await using image = await makeImage(200 * MIB);
  for (const isDamaged of [false, true]) {
    await Deno.remove(image.target).catch(() => {});
    await stopAfter(image, 190 * MIB);
    const partial = image.world.path("scratch/sif/.env.sif.partial");
    deepEqual(await namesIn(image.world.path("scratch/sif")), [".env.sif.partial", ".env.sif.partial.parts"]);
    if (isDamaged) {
      // Each piece is damaged, because it depends on the moment of the stop which of them are complete.
      using file = await Deno.open(partial, { write: true });
      for (let offset = 0; offset < image.content.length; offset += MIB) {
        await file.seek(offset, Deno.SeekMode.Start);
        await file.write(Uint8Array.of(image.content[offset]! ^ 1));
      }
    }
    const { resumedBytes } = await copy(image);
    equal(resumedBytes > 0, !isDamaged, `${resumedBytes} bytes were there`);
    ok(Buffer.from(await Deno.readFile(image.target)).equals(image.content));
  }
});

Deno.test("the partial copy of another image is not continued", async () => {
  await using image = await makeImage(200 * MIB);
  await stopAfter(image, 190 * MIB);
  image.content[5]! ^= 1;
  await Deno.writeFile(image.source, image.content);
  const sha256 = createHash("sha256").update(image.content).digest("hex");
  equal((await copy({ ...image, sha256 })).resumedBytes, 0);
});

Deno.test("other content than was built, a read error and a full disk leave no image", async () => {
  await using image = await makeImage(70 * MIB);
  const wrong = copy({ ...image, sha256: "0".repeat(64) });
  await rejects(wrong, { kind: "transfer", message: /the checksum differs/ });
  deepEqual(await namesIn(image.world.path("scratch/sif")), []);
  const failing = (errno: number, wanted: string): Hook => ({ name, path, args }) => {
    if (name === "copyFileRange") return { errno: 18 };
    if (name === wanted && path.includes("env.sif") && (args[3] as number) > MIB) return { errno };
  };
  await rejects(copy(image, failing(EIO, "pread")), { kind: "file-system", message: /Input\/output error/ });
  await rejects(Deno.stat(image.target), Deno.errors.NotFound);
  await rejects(copy(image, failing(ENOSPC, "pwrite")), { kind: "no-space" });
  deepEqual(await namesIn(image.world.path("scratch/sif")), []);
});

Deno.test("an image that changes while it is copied, or whose copy another program writes to, is not replaced", async () => {
  await using image = await makeImage(MIB);
  const changing = copy(image, ({ name }) => {
    if (name === "fsync") return;
    if (name === "copyFileRange" || name === "pwrite") {
      return { after: () => Deno.utimeSync(image.source, new Date(0), new Date(0)) };
    }
  });
  await rejects(changing, { kind: "transfer", message: /it changed while it was read/ });
  const overtaken = copy(image, ({ name }) => {
    if (name === "fchmod") Deno.writeTextFileSync(image.target, "of another program");
  });
  await rejects(overtaken, { kind: "file-system", message: /another program wrote/ });
  equal(await Deno.readTextFile(image.target), "of another program");
});

Deno.test("holes of an image are not written", async () => {
  await using image = await makeImage(MIB);
  await Deno.truncate(image.source, 600 * MIB);
  const hash = createHash("sha256").update(image.content);
  for (let part = 1; part < 600; part++) hash.update(new Uint8Array(MIB));
  await copy({ ...image, sha256: hash.digest("hex") });
  const { size, blocks } = await Deno.stat(image.target);
  deepEqual([size, blocks! * 512 < 10 * MIB], [600 * MIB, true]);
});
