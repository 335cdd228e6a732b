import assert from "node:assert/strict";
import { wheelIndexFor } from "../../src/venv/wheel_index.ts";

const INDEX = "https://download.pytorch.org/whl";

Deno.test("a PyTorch requirement with a suffix selects the package index of that hardware", () => {
  for (
    const [requirement, accelerator] of [
      ["torch==2.4.0+cu121", "cu121"],
      ["torchvision == 0.19.0+cu118", "cu118"],
      ["Torch[extra]===2.4.0+CPU", "cpu"],
      ["torch==2.4.0+rocm6.2 ; sys_platform == 'linux'", "rocm6.2"],
      ["pytorch_triton==3.0+xpu", "xpu"],
    ] as const
  ) {
    assert.deepEqual(wheelIndexFor(["numpy", requirement]), { accelerator, url: `${INDEX}/${accelerator}` });
  }
});

Deno.test("other packages, other suffixes and URLs name no index", () => {
  for (
    const requirement of [
      "torch",
      "torch==2.4.0",
      "jax==0.4+cu121",
      "torch==2.4.0+local",
      "torch @ https://x/torch-2.4.0+cu121.whl",
    ]
  ) {
    assert.equal(wheelIndexFor([requirement]), undefined, requirement);
  }
});

Deno.test("two kinds of hardware at once are an error that names both", () => {
  assert.throws(() => wheelIndexFor(["torch==2.4.0+cu121", "torchvision==0.19.0+cpu"]), /built for different hardware/);
});
