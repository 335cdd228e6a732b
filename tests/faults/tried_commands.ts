// The commands that write, each with a world in which it has something to do: for faults at the calls of real
// processes.
import { findUvForTests } from "../../scripts/prepare_apptainer.ts";

/** A command and its world. `ROOT` in its arguments and scripts is the directory of the world. */
export interface TriedCommand {
  /** A bash script that runs in the world; `ef` is the program. */
  readonly setUp: string;
  readonly argv: readonly string[];
  readonly stdin?: string;
  /** What the shell evaluates of its output: exports, or nothing. */
  readonly stdout: "exports" | "text";
  /** Commands after the second run, which make both sides the same again; each ends with 0. */
  readonly after?: readonly (readonly string[])[];
  /** Files whose content differs in each run, and files of other programs. */
  readonly varies?: RegExp;
  /** What a killed run may leave until the next sync, push or clean: files that were kept aside, and their list. */
  readonly leaves?: RegExp;
  /** Where files grow that no program reads until the command has ended. */
  readonly grows?: RegExp;
}

const CACHES = `
mkdir -p home/hf/models/sub home/hf/gone home/hf/empty home/hf/shape home/torch/d home/others scratch/others tmp
head -c 9000 /dev/zero | tr '\\0' A >home/hf/models/a.bin
head -c 5000 /dev/zero | tr '\\0' B >home/hf/models/b.bin
echo ccc >home/hf/models/sub/c.txt; chmod 640 home/hf/models/sub/c.txt
echo d1 >home/hf/gone/d1; echo d2 >home/hf/gone/d2; echo x >home/hf/shape/file
ln -s a.bin home/hf/models/link; ln home/hf/models/b.bin home/hf/models/hard
echo X >home/torch/x.pt; echo Y >home/torch/d/y.pt
echo foreign >home/others/file; echo foreign >scratch/others/file
find home/hf home/torch -exec touch -h -d '2024-01-01' {} +
cat >home/.euler-files.json <<'JSON'
// A comment that is kept.
{
  "version": 1, "scratch_base": "$SCRATCH", "lock_timeout_seconds": 20, "node_base": "ROOT/node",
  "vars": {"HF_HOME": {"source": "~/hf"}, "TORCH_HOME": {"source": "~/torch"}}
}
JSON
mkdir -p node
`;
const SYNCED = `${CACHES}\nef sync >/dev/null\n`;
const CHANGED = `${SYNCED}
cd home/hf; head -c 9500 /dev/zero | tr '\\0' a >models/a.bin; rm -r models/sub/c.txt gone shape
echo new >models/new.txt; echo 'a file now' >shape; echo n >empty/n
cd ../../scratch/.cache/euler-files/HF_HOME; echo 'of a job' >models/job.txt; echo too >models/sub/job
`;
const PUSHABLE = `${SYNCED}
cd scratch/.cache/euler-files/HF_HOME; head -c 9100 /dev/zero | tr '\\0' P >models/a.bin
mkdir -p dl/m1; head -c 6000 /dev/zero | tr '\\0' W >dl/m1/w.bin; ln -s w.bin dl/m1/l; echo top >top
rm models/b.bin; echo 'b on scratch' >models/b.bin; mkdir -p ../TORCH_HOME/n/e; echo w >../TORCH_HOME/n/e/w
`;
const CONFLICT = `${SYNCED}
echo 'at home' >home/hf/models/sub/c.txt; echo 'on scratch' >scratch/.cache/euler-files/HF_HOME/models/sub/c.txt
ef push >/dev/null || true; ef sync >/dev/null || true
`;
const ENVIRONMENTS = `${CACHES}
for e in one two; do v=home/venvs/$e; mkdir -p $v/bin $v/lib/python3.11/site-packages/tool-1.0.dist-info
  printf 'home = /usr/bin\\nversion = 3.11.2\\n' >$v/pyvenv.cfg
  printf '#!%s/bin/python\\nprint(1)\\n' "ROOT/home/venvs/$e" >$v/bin/tool; chmod 755 $v/bin/tool
  printf "VIRTUAL_ENV='%s'\\nexport VIRTUAL_ENV\\n" "ROOT/home/venvs/$e" >$v/bin/activate
  ln -s /usr/bin/python3 $v/bin/python; echo 'x = 1' >$v/lib/python3.11/site-packages/tool.py
  printf '../../../bin/tool,,\\ntool.py,,\\n' >$v/lib/python3.11/site-packages/tool-1.0.dist-info/RECORD
  find $v -exec touch -h -d '2024-01-01' {} +
done
ef config set apptainer '{"venv_base":"~/venvs","sif_store":"~/sif","scratch_sif_dir":"$SCRATCH/sif","base_image":"python:{version}-slim"}' >/dev/null
`;
/** A wheel, so that uv needs no index. */
const WHEEL = `${CACHES}
mkdir -p home/venvs home/wheels
/usr/bin/python3 - home/wheels/tried-1.0-py3-none-any.whl <<'PYTHON'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    for name, text in {
        "tried.py": "x = 1\\n",
        "tried-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: tried\\nVersion: 1.0\\n",
        "tried-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nGenerator: tried\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        "tried-1.0.dist-info/RECORD": "tried.py,,\\ntried-1.0.dist-info/METADATA,,\\ntried-1.0.dist-info/WHEEL,,\\ntried-1.0.dist-info/RECORD,,\\n",
    }.items(): wheel.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), text)
PYTHON
`;
/** The stand-in for Apptainer writes its log below the world's `tmp`. */
const IMAGES = `${ENVIRONMENTS}
for e in one two; do ef apptainer build $e >/dev/null; done
`;

/** Once nothing is in conflict, a second `resolve` takes no lock and removes nothing: the next sync does. */
const LEFT_BY_RESOLVE = /\.replaced-|\/\.HF_HOME\.(kept|intent-log|notes|synced)$|\/\.euler-files-write\./;

const json = (value: unknown) => JSON.stringify(value);

/** All of them by name. */
export function triedCommands(root: string): Readonly<Record<string, TriedCommand>> {
  const uv = findUvForTests();
  return {
    "sync, first": { setUp: CACHES, argv: ["sync"], stdout: "exports", after: [["push"]] },
    "sync, first, rsync": { setUp: CACHES, argv: ["sync", "--engine", "rsync"], stdout: "exports", after: [["push"]] },
    "sync, changed": { setUp: CHANGED, argv: ["sync"], stdout: "exports", after: [["push"]] },
    "sync, changed, rsync": {
      setUp: CHANGED,
      argv: ["sync", "--engine", "rsync"],
      stdout: "exports",
      after: [["push"]],
    },
    "sync --force": {
      setUp: `${SYNCED}\nrm -r scratch/.cache/euler-files/HF_HOME/models/sub`,
      argv: ["sync", "--force"],
      stdout: "exports",
    },
    "sync --checksum": { setUp: CHANGED, argv: ["sync", "--checksum"], stdout: "exports", after: [["push"]] },
    "sync --replace": {
      setUp: `${CHANGED}\ncd ROOT; cp -a home/hf home/hf2; echo other >home/hf2/other
ef config set vars.HF_HOME.source '"~/hf2"' >/dev/null`,
      argv: ["sync", "--replace"],
      stdout: "exports",
    },
    "sync --to node": { setUp: CACHES, argv: ["sync", "--to", "node"], stdout: "exports" },
    "push": { setUp: PUSHABLE, argv: ["push"], stdout: "text", after: [["sync"], ["push"]] },
    "push, rsync": {
      setUp: PUSHABLE,
      argv: ["push", "--engine", "rsync"],
      stdout: "text",
      after: [["sync"], ["push"]],
    },
    "push --from node": {
      setUp: `${CACHES}\nef sync --to node >/dev/null
t=$(ef sync --to node | sed -n "s/^export HF_HOME='\\(.*\\)';/\\1/p"); echo 'on the node' >"$t/models/n"; echo b >>"$t/models/a.bin"`,
      argv: ["push", "--from", "node"],
      stdout: "text",
    },
    "exec --push": {
      setUp: SYNCED,
      argv: [
        "exec",
        "--push",
        "--",
        "sh",
        "-c",
        'echo made >"$HF_HOME/models/made"; echo c >>"$HF_HOME/models/sub/c.txt"',
      ],
      stdout: "text",
      after: [["sync"]],
    },
    "migrate a variable": {
      setUp: SYNCED,
      argv: ["migrate", "HF_HOME", "--to", `${root}/home/new/hf`, "--yes"],
      grows: /^home\/new\//,
      stdout: "text",
      after: [["sync"], ["push"]],
    },
    "migrate --no-delete": {
      setUp: SYNCED,
      argv: ["migrate", "HF_HOME", "--to", `${root}/home/new/hf`, "--yes", "--no-delete"],
      grows: /^home\/new\//,
      stdout: "text",
      after: [["sync"], ["push"]],
    },
    "migrate venv_base": {
      setUp: ENVIRONMENTS,
      argv: ["migrate", "venv_base", "--to", `${root}/home/venvs2`, "--yes"],
      grows: /^home\/venvs2\//,
      stdout: "text",
    },
    "migrate cache_root": {
      setUp: PUSHABLE,
      argv: ["migrate", "cache_root", "--to", `${root}/scratch/other`, "--yes"],
      grows: /^scratch\/other\//,
      stdout: "text",
      after: [["sync"], ["push"]],
    },
    "migrate sif_store": {
      setUp: IMAGES,
      argv: ["migrate", "sif_store", "--to", `${root}/home/sif2`, "--yes"],
      grows: /^home\/sif2\//,
      stdout: "text",
    },
    "config set": { setUp: CACHES, argv: ["config", "set", "parallel_jobs", "2"], stdout: "text" },
    // The editor is sed, which leaves its own temporary file.
    "config edit": { setUp: CACHES, argv: ["config", "edit"], stdout: "text", leaves: /^home\/sed\w+$/ },
    "config set through a link": {
      setUp:
        `${CACHES}\nmkdir home/dotfiles; mv home/.euler-files.json home/dotfiles/ef.json; ln -s dotfiles/ef.json home/.euler-files.json`,
      argv: ["config", "set", "parallel_jobs", "2"],
      stdout: "text",
    },
    "init, new": {
      setUp: `${CACHES}\nrm home/.euler-files.json`,
      argv: ["init", "--input-json", "-"],
      stdin: json({ scratch_base: "$SCRATCH", vars: { HF_HOME: { source: "~/hf" } } }),
      stdout: "text",
    },
    "init, again": {
      setUp: CACHES,
      argv: ["init", "--input-json", "-"],
      stdin: json({ vars: { UV_CACHE_DIR: { source: "~/uv" } }, parallel_jobs: 3 }),
      stdout: "text",
    },
    "add": { setUp: `${CACHES}\nmkdir home/models`, argv: ["add", "MODELS", "~/models"], stdout: "text" },
    "remove": { setUp: SYNCED, argv: ["remove", "TORCH_HOME"], stdout: "text" },
    "clean": { setUp: `${SYNCED}\nef remove TORCH_HOME`, argv: ["clean", "TORCH_HOME", "--yes"], stdout: "text" },
    "resolve --take scratch": {
      setUp: CONFLICT,
      argv: ["resolve", "HF_HOME", "--take", "scratch"],
      leaves: LEFT_BY_RESOLVE,
      stdout: "text",
      after: [["sync"], ["push"]],
    },
    "resolve --take source": {
      setUp: CONFLICT,
      argv: ["resolve", "HF_HOME", "--take", "source"],
      leaves: LEFT_BY_RESOLVE,
      stdout: "text",
      after: [["sync"], ["push"]],
    },
    "venv remove": { setUp: ENVIRONMENTS, argv: ["venv", "remove", "one", "--yes"], stdout: "text" },
    ...(uv === undefined ? {} : {
      "venv install": {
        setUp: WHEEL,
        argv: [
          ...["venv", "install", "made", `${root}/home/wheels/tried-1.0-py3-none-any.whl`],
          ...["--venv-base", `${root}/home/venvs`, "--python", "/usr/bin/python3"],
        ],
        stdout: "text",
        // uv writes into an environment that has its name already, and leaves its own temporary files there.
        grows: /^home\/venvs\//,
        leaves: /\/\.tmp\w+$/,
        varies: /\/(uv_cache\.json|RECORD)$/,
      } as const,
      "venv migrate": {
        setUp: `${ENVIRONMENTS}\n${uv} venv -q --python /usr/bin/python3 home/venvs/real`,
        argv: ["venv", "migrate", `${root}/home/venvs/real`, `${root}/home/work/real`],
        stdout: "text",
      } as const,
      "venv migrate --delete-source": {
        setUp: `${ENVIRONMENTS}\n${uv} venv -q --python /usr/bin/python3 home/venvs/real`,
        argv: ["venv", "migrate", `${root}/home/venvs/real`, `${root}/home/work/real`, "--delete-source"],
        stdout: "text",
      } as const,
      "venv migrate --overwrite-target --delete-source": {
        setUp: `${ENVIRONMENTS}\nfor e in real old; do ${uv} venv -q --python /usr/bin/python3 home/venvs/$e; done`,
        argv: [
          "venv",
          "migrate",
          `${root}/home/venvs/real`,
          `${root}/home/venvs/old`,
          "--overwrite-target",
          "--delete-source",
        ],
        stdout: "text",
      } as const,
      "venv migrate-store": {
        setUp:
          `${CACHES}\nmkdir home/venvs; ${uv} venv -q --python /usr/bin/python3 home/venvs/real; mkdir -p home/uv/x; echo x >home/uv/x/y
ef config set apptainer '{"venv_base":"~/venvs","sif_store":"~/sif","base_image":"python:{version}-slim"}' >/dev/null
ef config set uv_cache_dir '"~/uv"' >/dev/null`,
        argv: [
          ...["venv", "migrate-store", "--new-venv-base", `${root}/home/v2`, "--new-uv-cache-dir", `${root}/home/uv2`],
          "--delete-old",
        ],
        // uv's own files in its cache.
        varies: /^home\/uv2\//,
        stdout: "text",
      } as const,
    }),
    "apptainer build": {
      setUp: ENVIRONMENTS,
      argv: ["apptainer", "build", "one"],
      stdout: "text",
      varies: /\.(sif|def)$/,
    },
    "apptainer sync": { setUp: IMAGES, argv: ["apptainer", "sync"], stdout: "text" },
    "apptainer sync, changed": {
      setUp: `${IMAGES}\nef apptainer sync >/dev/null; echo 'y = 2' >home/venvs/one/lib/python3.11/site-packages/tool.py
ef apptainer build one --force >/dev/null`,
      argv: ["apptainer", "sync"],
      stdout: "text",
    },
    "apptainer prune": {
      setUp: `${IMAGES}\nef apptainer sync >/dev/null`,
      argv: ["apptainer", "prune", "one", "--yes"],
      stdout: "text",
    },
    "apptainer fixup": {
      setUp: `${ENVIRONMENTS}\nmv home/venvs home/moved; ef config set apptainer.venv_base '"~/moved"' >/dev/null`,
      argv: ["apptainer", "fixup"],
      stdout: "text",
    },
  };
}
