// The section `apptainer` of the configuration, as a schema: settings of images and packs, and the record of each. Pure.
import * as v from "valibot";
import { jsonObject } from "./json_object.ts";
import { COMPONENT_CHARACTERS, isPathComponent } from "./names.ts";

const text = v.string("must be text");
const path = v.pipe(text, v.nonEmpty("must not be empty"));
const flag = v.boolean("must be true or false");

const NO_PLAIN_NAME = "must be a plain name, not a path";

/** The name of an environment, an image or its file. */
export const COMPONENT_NAME_SCHEMA = v.pipe(
  text,
  v.regex(COMPONENT_CHARACTERS, NO_PLAIN_NAME),
  // The schema of a pattern can't say the rest; a name that the pattern refuses has its fault already.
  v.check((name) => !COMPONENT_CHARACTERS.test(name) || isPathComponent(name), NO_PLAIN_NAME),
);

/** What 1.x doesn't know of an image. It refuses images with a field of these, so they have a section of their own. */
const DETAILS = {
  kind: v.optional(v.pipe(text, v.description('"pack": a squashfs made by `venv pack`; else an image'))),
  venv_path: v.optional(
    v.pipe(path, v.description("Of a pack: where the environment is, if not below venv_base")),
  ),
  inputs_hash: v.optional(v.pipe(text, v.description("Hash of all the image was built from"))),
  own_files_hash: v.optional(
    v.pipe(
      text,
      v.description("Hash of the environment's files that no package brought, or that were changed since"),
    ),
  ),
  files_hash: v.optional(
    v.pipe(text, v.description("Hash of names, sizes and times of the environment's files without compiled code")),
  ),
  sif_sha256: v.optional(v.pipe(text, v.description("Checksum of the image's file"))),
  sif_size_bytes: v.optional(v.pipe(v.number("must be a number"), v.description("Size of the image's file"))),
  sif_modified_at: v.optional(
    v.pipe(v.number("must be a number"), v.description("Modification time of the image's file, seconds since 1970")),
  ),
  wrapper_dirs: v.optional(
    v.pipe(
      v.array(path, "must be a list of texts"),
      v.description("Directories with wrappers of the image's programs"),
    ),
  ),
};

/** One built image. A file of an earlier 2.x may have the details here. */
export const IMAGE_SCHEMA = jsonObject(v.looseObject({
  venv_name: v.pipe(COMPONENT_NAME_SCHEMA, v.description("Directory of the environment below venv_base")),
  python_version: v.pipe(text, v.description("Python version at build time")),
  sif_filename: v.pipe(COMPONENT_NAME_SCHEMA, v.description("File name of the image in sif_store")),
  built_at: v.optional(v.pipe(v.number("must be a number"), v.description("Seconds since 1970")), 0),
  enabled: v.optional(v.pipe(flag, v.description("false: skipped by `apptainer sync`")), true),
  ...DETAILS,
}, "must be an object that describes an image"));

/** The fields of an image that 1.x knows. */
export const IMAGE_FIELDS_OF_1: readonly string[] = Object.keys(IMAGE_SCHEMA.entries).filter((name) =>
  !Object.hasOwn(DETAILS, name)
);

/** What is recorded of one image besides. */
export const IMAGE_DETAILS_SCHEMA = jsonObject(v.looseObject({
  built_at: v.optional(
    v.pipe(
      v.number("must be a number"),
      v.description("That of the image; with another one, these are of an earlier image"),
    ),
  ),
  ...DETAILS,
}, "must be an object"));

/** The `apptainer` section. */
export const APPTAINER_SCHEMA = jsonObject(v.looseObject({
  venv_base: v.optional(v.pipe(text, v.description("Directory of the Python environments")), ""),
  sif_store: v.optional(v.pipe(text, v.description("Persistent directory of the built images")), ""),
  scratch_sif_dir: v.optional(v.pipe(text, v.description("Directory on scratch the images are staged to")), ""),
  base_image: v.optional(
    v.pipe(
      path,
      v.regex(/^(?:[^{}]|\{version\})*$/, "may hold {version} but no other { or }"),
      v.description("Container image to build upon; {version} becomes the Python version, 3.11 say"),
    ),
    "python:{version}-slim",
  ),
  container_venv_path: v.optional(
    v.pipe(
      path,
      v.startsWith("/", "must be an absolute path"),
      v.description("Where the environment is in the container"),
    ),
    "/opt/venv",
  ),
  build_args: v.optional(
    v.pipe(v.array(text, "must be a list of texts"), v.description("Further arguments of `apptainer build`")),
    ["--fakeroot"],
  ),
  run_args: v.optional(
    v.pipe(v.array(text, "must be a list of texts"), v.description("Further options of `apptainer run|exec|shell`")),
    [],
  ),
  post_lines: v.optional(
    v.pipe(
      v.array(
        v.pipe(
          text,
          // deno-lint-ignore no-control-regex -- a line break would begin another line of the definition
          v.regex(/^(?!\s*%)[^\x00-\x08\x0a-\x1f\x7f]*$/, "must be one line that does not begin with %"),
        ),
        "must be a list of texts",
      ),
      v.description("Further lines of %post, for sh as root in the container, after the environment is in it"),
    ),
    [],
  ),
  images: v.optional(jsonObject(v.record(COMPONENT_NAME_SCHEMA, IMAGE_SCHEMA, "must be an object of images")), {}),
  image_details: v.optional(v.pipe(
    jsonObject(v.record(COMPONENT_NAME_SCHEMA, IMAGE_DETAILS_SCHEMA, "must be an object of images")),
    v.description(
      "What is recorded of each image besides; apart from them because 1.x refuses images with more fields",
    ),
  )),
}, "must be an object"));
