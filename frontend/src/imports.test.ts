import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import ts from "typescript";
import { expect, it } from "vitest";

const ROOT = import.meta.dirname;
const SOURCES = readdirSync(ROOT, { recursive: true, encoding: "utf-8" }).filter(
  (file) => /\.tsx?$/.test(file) && !file.endsWith(".test.ts"),
);

/** What each of our modules imports of ours, at once or later; not what it imports for its types alone. */
const IMPORTS = new Map(SOURCES.map((file) => [file, importsOf(file)]));

function importsOf(file: string): string[] {
  const source = readFileSync(join(ROOT, file), "utf-8");
  const { outputText } = ts.transpileModule(source, {
    fileName: file,
    compilerOptions: {
      jsx: ts.JsxEmit.ReactJSX,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
    },
  });
  return ts.preProcessFile(outputText).importedFiles.flatMap(({ fileName }) => {
    const path = normalize(join(dirname(file), fileName));
    return SOURCES.filter((known) => known === `${path}.ts` || known === `${path}.tsx`);
  });
}

function cycleFrom(file: string, path: readonly string[]): readonly string[] | null {
  if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
  for (const imported of IMPORTS.get(file) ?? []) {
    const cycle = cycleFrom(imported, [...path, file]);
    if (cycle) return cycle;
  }
  return null;
}

it("imports go round in no cycle", () => {
  expect(IMPORTS.get("intake/preview.ts")).toContain("intake/tiff.ts"); // which it loads later
  expect(IMPORTS.get("intake/tiff.ts")).toEqual(["intake/canvas.ts"]);
  expect(cycleFrom("main.tsx", [])).toBeNull();
});
