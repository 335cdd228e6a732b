// Binds libc before the first test, because it stays bound: Deno would report a leak in the test that binds it first.
import { loadLibc } from "../../src/posix/libc.ts";

loadLibc();
