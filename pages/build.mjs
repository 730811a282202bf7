// Bundles the pages into the folder that is named: `node build.mjs FOLDER`. pages/build calls it.
//
// Every name but those of the page and the licences carries a hash of what is in the file, so that a browser may keep
// it for ever.
import { build } from "esbuild";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

const folder = process.argv[2];
const common = {
  bundle: true,
  minify: true,
  charset: "ascii",
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  format: "esm",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  metafile: true,
  outdir: folder,
  target: ["chrome110", "firefox115", "safari16.4"],
};

/** The built file that came from the entry `source`. */
function builtFrom(result, source) {
  const [name] = Object.entries(result.metafile.outputs).find(([, output]) => output.entryPoint === source);
  return `/static/${basename(name)}`;
}

/** The licences of all packages that went into the files. */
function licences(results) {
  const inputs = results.flatMap((result) => Object.keys(result.metafile.inputs));
  const packages = new Set(inputs.map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]).filter(Boolean));
  return [...packages].sort().map((name) => {
    const { version } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8"));
    const text = ["LICENSE", "LICENSE.md", "License.md", "license.md"].map((file) => read(`node_modules/${name}/${file}`)).find(Boolean);
    if (!text) throw new Error(`${name} has no licence that could be carried along`);
    return `${name} ${version}\n\n${text.trim()}\n`;
  });
}

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const worker = await build({ ...common, entryPoints: ["src/worker.ts"] });
const app = await build({
  ...common,
  entryPoints: ["src/app.tsx", "src/style.css"],
  splitting: true,
  define: { WORKER: JSON.stringify(builtFrom(worker, "src/worker.ts")) },
});
const icon = await build({ ...common, entryPoints: ["src/icon.svg"], loader: { ".svg": "copy" } });
const page = readFileSync("src/index.html", "utf8")
  .replace("APP", builtFrom(app, "src/app.tsx"))
  .replace("STYLE", builtFrom(app, "src/style.css"))
  .replace("ICON", `/static/${basename(Object.keys(icon.metafile.outputs)[0])}`);
writeFileSync(join(folder, "index.html"), page);
writeFileSync(join(folder, "licences.txt"), licences([app, worker]).join("\n----\n\n"));
