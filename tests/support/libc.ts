// Binds libc before the first test: it stays bound for the isolate, and Deno would call that a leak of the test that needs it first.
import { loadLibc } from "../../src/posix/libc.ts";

loadLibc();
