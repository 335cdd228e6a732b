// The schema and the list of faults: what a configuration may contain, and how faults are reported.
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { toJsonSchema } from "@valibot/to-json-schema";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "../support/fast_check.ts";
import { checkConfig, CONFIG_SCHEMA } from "../../src/config/config.ts";
import { fieldName } from "../../src/config/field_names.ts";
import { listConfigFaults } from "../../src/config/config_faults.ts";
import { isPathComponent } from "../../src/config/names.ts";
import { defaultSource, PRESETS } from "../../src/config/presets.ts";

const MINIMAL = { version: 1, scratch_base: "$SCRATCH" };

/** The faults of a configuration as short lines: `3:5 error parallel_jobs must …`. */
function faultsOf(config: unknown): string[] {
  const text = typeof config === "string" ? config : JSON.stringify(config);
  return listConfigFaults(text).map(({ line, column, severity, message }) =>
    `${line}:${column} ${severity} ${message}`
  );
}

Deno.test("missing fields have the documented defaults", () => {
  const checked = checkConfig(MINIMAL);
  deepEqual(checked, {
    config: {
      ...MINIMAL,
      cache_root: ".cache/euler-files",
      vars: {},
      rsync_extra_args: [],
      parallel_jobs: 4,
      lock_timeout_seconds: 300,
      skip_if_fresh_seconds: 3600,
      engine: "auto",
      strict: false,
    },
  });
  const full = checkConfig({
    ...MINIMAL,
    vars: { A: { source: "/a" } },
    apptainer: { images: { i: { venv_name: "i", python_version: "3.11", sif_filename: "i.sif" } } },
    migrations: [{ old_path: "/a", new_path: "/b", migrated_at: 1.5, field_name: "source" }],
  });
  ok("config" in full);
  equal(full.config.vars.A?.enabled, true);
  deepEqual(full.config.apptainer, {
    venv_base: "",
    sif_store: "",
    scratch_sif_dir: "",
    base_image: "python:{version}-slim",
    container_venv_path: "/opt/venv",
    build_args: ["--fakeroot"],
    run_args: [],
    post_lines: [],
    images: { i: { venv_name: "i", python_version: "3.11", sif_filename: "i.sif", built_at: 0, enabled: true } },
  });
  equal(full.config.migrations?.[0]?.var_name, "");
});

Deno.test("unknown fields pass through at every level, and only validate reports them", () => {
  const config = {
    ...MINIMAL,
    later: { x: 1 },
    vars: { A: { source: "/a", mood: "good" } },
    apptainer: { nv: true, images: { i: { venv_name: "i", python_version: "3", sif_filename: "i.sif", hash: "x" } } },
    migrations: [{ old_path: "/a", new_path: "/b", migrated_at: 1, field_name: "source", by: "me" }],
  };
  const checked = checkConfig(config);
  ok("config" in checked);
  const { config: passed } = checked;
  deepEqual(
    [
      passed.later,
      passed.vars.A?.mood,
      passed.apptainer?.nv,
      passed.apptainer?.images.i?.hash,
      passed.migrations?.[0]?.by,
    ],
    [{ x: 1 }, "good", true, "x", "me"],
  );
  deepEqual(listConfigFaults(JSON.stringify(config)).map(({ severity, field }) => `${severity} ${field}`), [
    "warning later",
    "warning vars.A.mood",
    "warning apptainer.nv",
    "warning apptainer.images.i.hash",
    "warning migrations[0].by",
  ]);
  match(listConfigFaults('{"version":1,"scratch_base":"/s","paralel_jobs":2}')[0]?.hint ?? "", /parallel_jobs/);
});

Deno.test("every fault is listed with its position, its field and what is wrong", () => {
  const text = `{
  "version": 1, // comments are fine
  "scratch_base": "",
  "vars": {
    "PATH": { "source": "/x" },
    "X; touch PWNED": { "source": "/x" },
    "../../esc": { "source": "/x" },
    "OK": { "source": "", "enabled": "no" },
    "NONE": {},
    "LIST": []
  },
  "rsync_extra_args": "--bwlimit=5",
  "parallel_jobs": 0,
  "lock_timeout_seconds": "300",
  "skip_if_fresh_seconds": null,
  "engine": "turbo",
  "apptainer": { "base_image": "x:{y}", "container_venv_path": "opt" },
  "parallel_jobs": 1.5,
}`;
  deepEqual(faultsOf(text), [
    "3:19 error scratch_base must not be empty",
    "5:13 error vars.PATH must not be managed: it decides which programs are found",
    '6:23 error vars["X; touch PWNED"] is not a name for a variable: letters, digits and _ only, and no digit first',
    '7:18 error vars["../../esc"] is not a name for a variable: letters, digits and _ only, and no digit first',
    "8:23 error vars.OK.source must not be empty",
    '8:38 error vars.OK.enabled must be true or false, not "no"',
    "9:13 error vars.NONE.source is missing",
    '10:13 error vars.LIST must be an object with a "source", not a list',
    '12:23 error rsync_extra_args must be a list of texts, not "--bwlimit=5"',
    "13:20 error parallel_jobs must be a whole number of 1 or more, not 1.5",
    '14:27 error lock_timeout_seconds must be a number of seconds, not "300"',
    "15:28 error skip_if_fresh_seconds must be a number of seconds, not null",
    '16:13 error engine must be auto, rsync or native, not "turbo"',
    "17:32 error apptainer.base_image may hold {version} but no other { or }",
    '17:64 error apptainer.container_venv_path must be an absolute path, not "opt"',
    "18:3 error parallel_jobs is given twice",
  ]);
});

Deno.test("arguments of rsync that are not used are named with the reason", () => {
  const text =
    '{"version":1,"scratch_base":"/s","engine":"native","rsync_extra_args":["-vuz","--bwlimit=5","--delete"]}';
  deepEqual(listConfigFaults(text).map(({ severity, message }) => `${severity} ${message}`), [
    "warning rsync_extra_args: what deletes on the receiving side is for sync; push deletes nothing",
    "warning rsync_extra_args: -u is not used: both sides and the record of the last transfer decide which files are copied",
    "warning rsync_extra_args: -v is not used: euler-files handles progress and partial files itself",
    'warning rsync_extra_args: -z makes rsync the engine, although engine is "native"',
  ]);
});

Deno.test("each invalid pattern is reported with what is wrong", () => {
  const vars = {
    A: { source: "/a", include: "x", exclude: ["*.tmp", "", "- x", 1] },
    B: { source: "/b", exclude: ["a\0"] },
  };
  deepEqual(faultsOf({ ...MINIMAL, vars }).map((fault) => fault.replace(/^\S+ /, "")), [
    'error vars.A.include must be a list of patterns, not "x"',
    "error vars.A.exclude[1] must not be empty",
    'error vars.A.exclude[2] must be a pattern alone, without "+ ", "- " or "!" (write [-] for a name that begins so)',
    "error vars.A.exclude[3] must be a pattern, not 1",
    "error vars.B.exclude[0] must not hold a NUL character or a line break",
  ]);
  match(
    faultsOf({ ...MINIMAL, rsync_extra_args: ["-f", "merge x"] }).join(),
    /rsync_extra_args must not hold the rule/,
  );
});

Deno.test("a well-known variable excludes locks by default, as any other does, and the list may be empty", () => {
  const vars = {
    HF_HUB_CACHE: { source: "/a" },
    HF_HOME: { source: "/b", preset_exclude: [] },
    OTHER: { source: "/c" },
  };
  const checked = checkConfig({ ...MINIMAL, vars });
  ok("config" in checked);
  const [hub, none, other] = Object.values(checked.config.vars);
  for (const pattern of [".locks/", "*.incomplete", ".nfs*"]) {
    ok(hub?.preset_exclude?.includes(pattern) && other?.preset_exclude?.includes(pattern), pattern);
  }
  deepEqual([none?.preset_exclude, none?.preset_exclude_empty], [[], []]);
  deepEqual(other?.preset_exclude_empty, ["lock", "*.lock"]);
  for (const { exclude } of PRESETS) deepEqual(faultsOf({ ...MINIMAL, vars: { A: { source: "/x", exclude } } }), []);
});

Deno.test("a list is not an object", () => {
  const entry = { venv_name: "i", python_version: "3", sif_filename: "i.sif" };
  const wrong = [{ vars: [] }, { apptainer: [] }, { apptainer: { images: [entry] } }, { migrations: [[]] }, {
    migrations: {},
  }];
  for (const fields of wrong) match(faultsOf({ ...MINIMAL, ...fields }).join(), /error .* must be an? (object|list)/);
});

Deno.test("variables that the shell, the loader or euler-files itself uses cannot be managed", () => {
  for (
    const name of [
      ...["HOME", "SCRATCH", "IFS", "BASH_ENV", "LD_LIBRARY_PATH", "LD_PRELOAD", "SLURM_JOB_ID", "TMPDIR"],
      ...[
        "PYTHONPATH",
        "PYTHONHOME",
        "PYTHONSTARTUP",
        "GCONV_PATH",
        "TAR_OPTIONS",
        "RSYNC_RSH",
        "GIT_SSH",
        "status",
        "argv",
      ],
      ...[
        "NODE_OPTIONS",
        "PERL5LIB",
        "RUBYOPT",
        "CLASSPATH",
        "fish_function_path",
        "path",
        "FPATH",
        "LC_ALL",
        "GLIBC_TUNABLES",
      ],
    ]
  ) {
    const [fault] = faultsOf({ ...MINIMAL, vars: { [name]: { source: "/x" } } });
    match(fault ?? "", new RegExp(`error vars\\.${name} must not be managed: `));
  }
  for (const name of [...PRESETS.map(({ name }) => name), "PYTHONPYCACHEPREFIX", "PYTHONUSERBASE", "MODEL_PATH"]) {
    deepEqual(faultsOf({ ...MINIMAL, vars: { [name]: { source: "/x" } } }), []);
  }
});

Deno.test("every unsupported version is reported", () => {
  for (const version of [undefined, 0, 2, "1", true, null]) {
    match(faultsOf({ ...MINIMAL, version }).join(), /error version (is missing|must be the number 1, not )/);
  }
  deepEqual(faultsOf('{"version": 1.0, "scratch_base": "/s"}'), []);
});

Deno.test("a syntax error is reported with its position and in words", () => {
  deepEqual(faultsOf('{"version": 1\n "scratch_base": "/s"}').slice(0, 1), ["2:2 error a comma is expected here"]);
  deepEqual(faultsOf("  \n"), ["1:1 error the file is empty"]);
  deepEqual(faultsOf("{"), ["1:2 error a close brace is expected here"]);
  for (const text of ["[]", '"x"', "3", "null"]) match(faultsOf(text).join(), /the file must be a JSON object, not /);
});

Deno.test("the name of an environment, image or file must be a single component of a path", () => {
  const good = ["a", "my-env", ".venv", "py 3.11", "ü", "a..b", "x".repeat(200)];
  const bad = ["", ".", "..", "a/b", "/a", "-rf", "a\nb", "a\0", "\x1b[2J", "x".repeat(201), "ü".repeat(101)];
  deepEqual(good.filter((name) => !isPathComponent(name)), []);
  deepEqual(bad.filter(isPathComponent), []);
});

Deno.test("law: no text makes the list of faults throw, and a text without an error is a configuration", () => {
  const text = fc.oneof(
    fc.json(),
    fc.string(),
    fc.record({ version: fc.constantFrom(1, 2), scratch_base: fc.string() })
      .map((config) => JSON.stringify(config)),
  );
  fc.assert(fc.property(text, (text) => {
    const errors = listConfigFaults(text).filter(({ severity }) => severity === "error");
    if (errors.length === 0) ok("config" in checkConfig(JSON.parse(text)), text);
    for (const { line, column } of errors) ok(line >= 1 && column >= 1);
  }));
});

Deno.test("the JSON Schema of the file accepts and refuses the same as the check", () => {
  const schema = toJsonSchema(CONFIG_SCHEMA, {
    target: "draft-2020-12",
    typeMode: "input",
    errorMode: "ignore",
  }) as object;
  const validate = new Ajv2020({ strict: false }).compile(schema);
  equal(validate(MINIMAL), true);
  equal(validate({ ...MINIMAL, later: 1, vars: { A: { source: "/a", later: 1 } } }), true);
  for (
    const wrong of [{}, { ...MINIMAL, version: 2 }, { ...MINIMAL, parallel_jobs: "4" }, {
      ...MINIMAL,
      vars: { A: { source: 1 } },
    }]
  ) {
    equal(validate(wrong), false, JSON.stringify(wrong));
  }
});

Deno.test("fields are named as a user would name them", () => {
  equal(fieldName([]), "the file");
  equal(fieldName(["vars", "A", "source"]), "vars.A.source");
  equal(fieldName(["migrations", 0, "by"]), "migrations[0].by");
  equal(fieldName(["vars", "a b"]), 'vars["a b"]');
});

Deno.test("presets have distinct names and follow XDG_CACHE_HOME", () => {
  equal(new Set(PRESETS.map(({ name }) => name)).size, PRESETS.length);
  const [hf] = PRESETS;
  equal(defaultSource(hf!, {}), "~/.cache/huggingface");
  equal(defaultSource(hf!, { XDG_CACHE_HOME: "/c" }), "/c/huggingface");
  const xdg = PRESETS.find(({ name }) => name === "XDG_CACHE_HOME")!;
  equal(defaultSource(xdg, { XDG_CACHE_HOME: "/c" }), "~/.cache");
});
