import { buildApp } from "fauxqs";

const app = buildApp({ logger: false });
console.log("listening on " + (await app.listen({ port: 0, host: "127.0.0.1" })));
