// What tests of real containers use: Apptainer, an unprivileged user and a base image; and whether a container can be
// started.
import { findWorkshop } from "../../scripts/prepare_apptainer.ts";
import { testUnless } from "./needs.ts";
import { giveUv, UV } from "./uv.ts";
import { makeWorld, type World } from "./world.ts";

const WORKSHOP = await findWorkshop();

/** A world of the user who builds, with the base image in it and Apptainer configured to use it. */
export interface ContainerWorld extends AsyncDisposable {
  readonly world: World;
  readonly env: Record<string, string>;
  readonly baseImage: string;
  readonly ociLayout: string;
}

/** Makes a container world; only for tests registered by {@linkcode testWithApptainer}. */
export async function makeContainerWorld(): Promise<ContainerWorld> {
  if (typeof WORKSHOP === "string") throw new Error(WORKSHOP);
  const world = await makeWorld({ runAs: WORKSHOP });
  await Deno.chmod(world.root, 0o755);
  const baseImage = world.path("base.sif");
  await Deno.copyFile(WORKSHOP.baseImage, baseImage);
  const env = await giveUv(world);
  await world.writeConfig({
    apptainer: {
      venv_base: "~/venvs",
      sif_store: "~/sif",
      scratch_sif_dir: "$SCRATCH/.cache/euler-files/sif",
      base_image: baseImage,
      // lz4 is the fastest to compress and decompress.
      build_args: ["--fakeroot", "--mksquashfs-args", "-comp lz4"],
    },
  });
  return {
    world,
    env,
    baseImage,
    ociLayout: WORKSHOP.ociLayout,
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

/**
 * Why no container can be started; undefined if one was. Forbidden mounts and missing set-uid programs are common
 * reasons.
 */
async function findRefusal(): Promise<string | undefined> {
  if (UV === undefined) return "uv not installed";
  if (typeof WORKSHOP === "string") return WORKSHOP;
  await using containerWorld = await makeContainerWorld();
  const args = ["--silent", "exec", "--fakeroot", containerWorld.baseImage, "true"];
  const { code, stderr } = await containerWorld.world.exec("apptainer", args, { env: containerWorld.env });
  return code === 0 ? undefined : `Apptainer cannot start a container: ${stderr.trim().split("\n").at(-1)}`;
}

const REFUSAL = await findRefusal();

/** Registers a test that needs the real Apptainer. */
export function testWithApptainer(name: string, run: () => void | Promise<void>): void {
  testUnless(REFUSAL, name, run);
}
