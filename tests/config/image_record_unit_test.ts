// The record of an image in its two parts: the details count only for the image they were recorded of.
import assert from "node:assert/strict";
import { checkConfig } from "../../src/config/config.ts";
import { imageEdits, withImageDetails, withoutTheirDetails } from "../../src/config/image_record.ts";

const IMAGE = { venv_name: "env", python_version: "3.11.2", sif_filename: "env.sif", built_at: 1000, enabled: true };
const DETAILS = { sif_sha256: "0badcafe", sif_size_bytes: 7, wrapper_dirs: ["/home/u/bin"] };

/** The image `env` as it is read from a section. */
function read(section: Readonly<Record<string, unknown>>): unknown {
  const checked = checkConfig({ version: 1, scratch_base: "$SCRATCH", vars: {}, apptainer: section });
  assert.ok("config" in checked, JSON.stringify(checked));
  return withImageDetails(checked.config.apptainer!).images.env;
}

/** The section that the edits of a record make. */
function recorded(record: Readonly<Record<string, unknown>>): Record<string, Record<string, unknown>> {
  return Object.fromEntries(imageEdits("env", record).map(({ path, value }) => [String(path[1]), { env: value }]));
}

Deno.test("a recorded image is read as it was recorded", () => {
  const record = { ...IMAGE, ...DETAILS };
  assert.deepEqual(read(recorded(record)), record);
});

Deno.test("details of another image under the name are not used", () => {
  const { image_details } = recorded({ ...IMAGE, ...DETAILS });
  const other = { ...IMAGE, built_at: 2000 };
  assert.deepEqual(read({ images: { env: other }, image_details }), other);
  assert.deepEqual(read({ images: { env: IMAGE }, image_details: { env: DETAILS } }), IMAGE);
});

Deno.test("a field that a person wrote into the image counts before its details", () => {
  const { image_details } = recorded({ ...IMAGE, ...DETAILS });
  const edited = { ...IMAGE, sif_size_bytes: 9 };
  assert.deepEqual(read({ images: { env: edited }, image_details }), { ...IMAGE, ...DETAILS, sif_size_bytes: 9 });
});

Deno.test("who takes out an image, takes out its details", () => {
  const takeOut = (...path: string[]) => ({ path: ["apptainer", ...path], value: undefined });
  assert.deepEqual(withoutTheirDetails([takeOut("images", "env")]), [
    takeOut("images", "env"),
    takeOut("image_details", "env"),
  ]);
  assert.deepEqual(withoutTheirDetails([takeOut("images"), takeOut("image_details")]), [
    takeOut("images"),
    takeOut("image_details"),
  ]);
  for (const edit of [takeOut("images", "env", "enabled"), { ...takeOut("images", "env"), value: IMAGE }]) {
    assert.deepEqual(withoutTheirDetails([edit]), [edit]);
  }
});
