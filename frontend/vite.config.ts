import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { licences } from "./licences";
import { PATHS } from "./src/api/paths";

const service = process.env.HEALER_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  base: "/page/",
  plugins: [react(), licences()],
  resolve: {
    // jsPDF's ways of drawing HTML, which the report does not use, and 400 kB of them.
    alias: ["html2canvas", "dompurify", "canvg"].map((find) => ({
      find,
      replacement: "/src/export/unused.ts",
    })),
  },
  build: {
    outDir: "../src/healer/server/page",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: Object.fromEntries(Object.values(PATHS).map((path) => [path, service])) },
  test: {
    include: ["src/**/*.test.ts"],
    environment: "node",
    pool: "threads",
    poolOptions: { threads: { singleThread: true } },
  },
});
