// Restate: one durable step (`ctx.run`) for each task, against a Restate server of its own on this machine, with its own settings.
//
// Measured: one call through the server's ingress, from request to answer. Left out: starting the server and node, and registering
// the service; one step has been run before. Independent tasks are steps of one handler, begun together; where slots are given (tasks that wait), there is one
// invocation for each slot, because the order of steps within a handler has to be the same each time. What computes for long does so in
// threads of its own, or node's one thread would let one compute at a time.

import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { availableParallelism } from "node:os";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";

// The SDK wants this of node 22; it is all that it lacks in node 20.
Promise.withResolvers ??= function () {
  const all = {};
  all.promise = new this((resolve, reject) => Object.assign(all, { resolve, reject }));
  return all;
};

const WAIT = 100;
// Below this a task is done sooner than handed to another thread.
const LONG = 20;
const SHAPES = {
  "fibonacci-chain": { chained: true, n: 10 },
  "fibonacci-wide": { chained: false, n: 33 },
  light: { chained: false, n: 10 },
  waits: { chained: false, n: null, slots: 100 },
  chain: { chained: true, n: 10 },
};

function fibonacci(n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

const idle = [];
const waiting = [];

// Runs `fibonacci` in one of as many threads as there are processors.
async function elsewhere(n) {
  const worker = idle.pop() ?? (await new Promise((free) => waiting.push(free)));
  try {
    return await new Promise((done, failed) => {
      worker.once("message", done);
      worker.once("error", failed);
      worker.postMessage(n);
    });
  } finally {
    const next = waiting.shift();
    if (next) next(worker);
    else idle.push(worker);
  }
}

function work(n) {
  if (n === null) return new Promise((done) => setTimeout(() => done(0), WAIT));
  return n > LONG ? elsewhere(n) : fibonacci(n);
}

function freePort() {
  return new Promise((found, failed) => {
    const server = createServer();
    server.once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => found(port));
    });
  });
}

async function startServer() {
  const [ingress, admin, node] = [await freePort(), await freePort(), await freePort()];
  const program = createRequire(import.meta.url).resolve(
    `@restatedev/restate-server-${process.platform}-${process.arch}/bin/restate-server`,
  );
  const server = spawn(program, ["--no-logo", "--listen-mode", "tcp", "--node-name", "bench"], {
    env: {
      ...process.env,
      RESTATE_BASE_DIR: "restate",
      RESTATE_BIND_IP: "127.0.0.1",
      RESTATE_ADVERTISED_HOST: "127.0.0.1",
      RESTATE_BIND_PORT: String(node),
      RESTATE_INGRESS__BIND_PORT: String(ingress),
      RESTATE_ADMIN__BIND_PORT: String(admin),
      RESTATE_DISABLE_TELEMETRY: "true",
      RESTATE_LOG_FILTER: "off",
    },
    stdio: "ignore",
  });
  const addresses = { ingress: `http://127.0.0.1:${ingress}`, admin: `http://127.0.0.1:${admin}` };
  for (const health of [`${addresses.admin}/health`, `${addresses.ingress}/restate/health`]) {
    while (!(await fetch(health).then((answer) => answer.ok, () => false))) {
      if (server.exitCode !== null) throw new Error(`the Restate server ended with code ${server.exitCode}`);
      await new Promise((later) => setTimeout(later, 100));
    }
  }
  return { server, ...addresses };
}

async function post(address, body) {
  const answer = await fetch(address, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${address} answered ${answer.status}: ${await answer.text()}`);
  return answer.json();
}

async function main(name, tasks) {
  const restate = await import("@restatedev/restate-sdk");
  const shape = SHAPES[name];
  const step = (ctx, index) => ctx.run(`t${index}`, () => work(shape.n));
  const service = restate.service({
    name: "bench",
    handlers: {
      chain: async (ctx, indices) => {
        for (const index of indices) await step(ctx, index);
        return indices.length;
      },
      wide: async (ctx, count) => {
        const all = await restate.RestatePromise.all(Array.from({ length: count }, (_, index) => step(ctx, index)));
        return all.length;
      },
      lanes: async (ctx, { count, slots }) => {
        const lane = (first) => Array.from({ length: Math.ceil((count - first) / slots) }, (_, k) => first + k * slots);
        const used = Array.from({ length: Math.min(slots, count) }, (_, first) => lane(first));
        const done = await restate.RestatePromise.all(used.map((own) => ctx.serviceClient(service).chain(own)));
        return done.reduce((sum, part) => sum + part, 0);
      },
    },
  });
  if (shape.n > LONG) {
    for (let thread = 0; thread < availableParallelism(); thread++) {
      idle.push(new Worker(new URL(import.meta.url), { workerData: "compute" }));
    }
    await Promise.all(idle.map((worker) => new Promise((ready) => worker.once("message", ready))));
  }
  const { server, ingress, admin } = await startServer();
  try {
    const port = await freePort();
    await restate.endpoint().bind(service).listen(port);
    await post(`${admin}/deployments`, { uri: `http://127.0.0.1:${port}` });
    const [handler, input] = shape.chained
      ? ["chain", Array.from({ length: tasks }, (_, index) => index)]
      : shape.slots
        ? ["lanes", { count: tasks, slots: shape.slots }]
        : ["wide", tasks];
    // One step before the clock runs: connections are made and the service is known everywhere.
    await post(`${ingress}/bench/chain`, [0]);
    const begun = performance.now();
    const done = await post(`${ingress}/bench/${handler}`, input);
    const seconds = (performance.now() - begun) / 1000;
    if (done !== tasks) throw new Error(`${done} of ${tasks} tasks were run`);
    console.log(JSON.stringify({ shape: name, tasks, seconds }));
  } finally {
    server.kill("SIGKILL");
  }
}

if (isMainThread) {
  await main(process.argv[2], Number(process.argv[3]));
  process.exit(0);
} else if (workerData === "compute") {
  parentPort.on("message", (n) => parentPort.postMessage(fibonacci(n)));
  parentPort.postMessage("ready");
}
