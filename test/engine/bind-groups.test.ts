import { readFileSync } from "node:fs";
import { afterEach, describe, expect, test, vi } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { BindGroups, KEPT } from "../../engine/bind-groups.ts";
import { DeviceError } from "../../engine/errors.ts";
import { add, conv2d, elu, instanceNorm, mul, square, sub, sum } from "../../engine/ops/index.ts";
import { ParamArena } from "../../engine/param-arena.ts";
import { collect } from "../../engine/platform/collect.ts";
import { accumulate } from "../../engine/updates.ts";
import { engine } from "../support/engine.ts";

afterEach(() => vi.restoreAllMocks());

describe("a step that comes again", () => {
  const at = (i: number) => Math.sin(i);
  const values = (n: number) => Float32Array.from({ length: n }, (_, i) => at(i));

  test("gets the bind groups it had, whatever else was freed between", async () => {
    engine.trim(); // the groups of other tests too, so that none are dropped in the middle of this one
    const x = engine.tensor(values(64), [1, 4, 4, 4]);
    const weights = Array.from({ length: 4 }, () => engine.variable(values(144), [4, 4, 3, 3]));
    const step = () =>
      engine.scope(() => {
        let h = x;
        for (const w of weights) h = add(h, elu(instanceNorm(conv2d(h, w, undefined, { padding: 1 }))));
        const grads = grad(sum(square(h)), weights);
        for (const [i, w] of weights.entries()) engine.copy(sub(w.detach(), mul(grads[i]!, 1e-3)), w);
      });
    const made = vi.spyOn(engine.device, "createBindGroup");
    const freed = async (order: number[]) => {
      const all = order.map(() => engine.zeros([64]));
      for (const i of order) all[i]!.dispose();
      await engine.sync();
    };
    for (let i = 0; i < 8; i++) {
      step();
      await freed([0, 1, 2, 3]);
    }
    expect(made).toHaveBeenCalled();
    made.mockClear();
    for (let i = 0; i < 12; i++) {
      step();
      await freed([2, 0, 3, 1]);
    }
    expect(made).not.toHaveBeenCalled();
    for (const t of [x, ...weights]) t.dispose();
  });
});

describe("a kernel that comes several times to the same arrays", () => {
  test("finds its own parameters each time, in one submit and in those after it", async () => {
    const [total, x] = [engine.zeros([4]), engine.tensor([1, 10, 100, 1000])];
    await engine.sync();
    const made = vi.spyOn(engine.device, "createBindGroup");
    let shares = 0;
    for (const submit of [1, 2, 3]) {
      for (let i = 0; i < 5; i++) accumulate(total, x, { share: submit + i, begin: 0 });
      engine.stream.flush();
      shares += 5 * submit + 10;
    }
    expect(made).toHaveBeenCalledTimes(5);
    expect([...(await total.data())]).toEqual([1, 10, 100, 1000].map((v) => v * shares));
    for (const t of [total, x]) t.dispose();
  });

  test("takes no slot twice in a submit, though there are few", () => {
    const [total, x] = [engine.zeros([4]), engine.tensor([1, 2, 3, 4])];
    const recorded = engine.capture(() => accumulate(total, x, { share: 1, begin: 0 }));
    const params = new ParamArena(engine.device, 4);
    const groups = new BindGroups(engine.device, params);
    for (let submit = 0; submit < 10; submit++) {
      groups.begin(3);
      const slots = [1, 2, 3].map(() => groups.of(recorded.commands[0]!).slot);
      expect(new Set(slots).size).toBe(3);
      expect(Math.max(...slots)).toBeLessThan(params.slots);
    }
    params.destroy();
    recorded.dispose();
    for (const t of [total, x]) t.dispose();
  });
});

/** Groups that are kept and, on a software driver, those dropped that may wait to be collected. */
const MOST = 8192 + 4096;
const TURN = 1000;

describe.runIf(engine.driver.software)("bind groups that do not come again", () => {
  test("are collected before they are too many: on lavapipe each is a mapping, and Linux allows 65,530", async () => {
    const [x, y] = [engine.ones([64 * 256]), engine.ones([64 * 256])];
    const recorded = engine.capture(() => add(x, y));
    const command = recorded.commands.at(-1)!;
    const params = new ParamArena(engine.device, KEPT);
    const groups = new BindGroups(engine.device, params, collect);

    let alive = 0;
    const registry = new FinalizationRegistry(() => alive--);

    /** Two of its arrays begin at one of 256 places each. */
    const group = (i: number) => {
      const ranges = command.ranges.map((range, k) =>
        k < 2 ? { ...range, offset: 256 * (k === 0 ? i % 256 : i >> 8), size: 256 } : range,
      );
      groups.begin(1);
      registry.register(groups.of({ ...command, ranges }).group, undefined);
      alive++;
    };
    const before = mappings();
    let most = 0;
    for (let i = 0; i < 50 * TURN; i++) {
      group(i);
      if (i % TURN === 0) {
        recorded.replay(); // Dawn lets go of what was collected when work sent later is done
        await engine.sync();
      }
      most = Math.max(most, alive);
    }
    expect(most).toBeGreaterThan(8000);
    expect(most).toBeLessThan(MOST + TURN);
    expect(mappings() - before).toBeLessThan(20_000);

    recorded.dispose();
    params.destroy();
    for (const t of [x, y]) t.dispose();
  });
});

test("more than the process may have mappings are refused before they end it", () => {
  const [x, y] = [engine.ones([64]), engine.ones([64])];
  const recorded = engine.capture(() => add(x, y));
  const { commands } = recorded;
  const params = new ParamArena(engine.device, 8);
  const groups = new BindGroups(engine.device, params, () => {}, 8192 + 3);
  groups.begin(1);
  groups.of(commands[0]!);
  groups.lend([commands[0]!], params, [1]);
  groups.begin(1);
  expect(() => groups.begin(2)).toThrow(
    /^launch: got more than 2 launches without a wait.*at most 3 here.*sysctl/,
  );
  groups.forget(1); // not collected yet
  expect(() => groups.begin(2)).toThrow(DeviceError);

  recorded.dispose();
  params.destroy();
  for (const t of [x, y]) t.dispose();
});

test("a capture that is refused for its groups gives back those of its hoisted arrays, and its memory", () => {
  const [x, y] = [engine.ones([64]), engine.ones([64])];
  engine.trim();
  const before = engine.memory().live;
  const { bindGroups } = engine.stream;
  const lent: number[] = [];
  vi.spyOn(engine.stream, "bindGroups").mockImplementation((commands, ...rest) => {
    if (lent.length > 0) throw new DeviceError("too many");
    lent.push(commands.length);
    return bindGroups.call(engine.stream, commands, ...rest);
  });
  const forgotten = vi.spyOn(engine.stream, "forgetBindGroups");
  const step = () => engine.copy(add(square(x), y), y);
  expect(() => engine.capture(step, { hoist: true })).toThrow("too many");
  expect(lent).toEqual([2]); // of x squared, on poisoned memory
  expect(forgotten.mock.calls.reduce((total, [others = 0]) => total + others, 0)).toBe(2);
  expect(engine.memory().live).toBe(before);
  for (const t of [x, y]) t.dispose();
});

/** Of this process; 0 where the system does not tell. */
function mappings(): number {
  try {
    return readFileSync("/proc/self/maps", "utf8").split("\n").length;
  } catch {
    return 0;
  }
}
