// Bundles the page, with Grafana's components in it, into the folder that is given. Run beside node_modules.
import { cpSync } from 'node:fs';
import { build } from 'esbuild';

const out = process.argv[2];
const packages = 'node_modules';
await build({
  entryPoints: ['src/page.jsx'],
  bundle: true,
  outfile: `${out}/page.js`,
  format: 'iife',
  jsx: 'automatic',
  define: { 'process.env.NODE_ENV': '"production"', 'process.env': '{}', global: 'window' },
  loader: { '.woff2': 'dataurl', '.svg': 'dataurl', '.png': 'dataurl', '.css': 'text', '.ttf': 'empty' },
  mainFields: ['module', 'browser', 'main'],
  logLevel: 'error',
});
cpSync('src/index.html', `${out}/index.html`);
cpSync(`${packages}/@grafana/ui/dist/public`, `${out}/public`, { recursive: true });
const inter = `${packages}/@fontsource/inter/files/inter-latin`;
cpSync(`${inter}-400-normal.woff2`, `${out}/public/fonts/inter/Inter-Regular.woff2`);
cpSync(`${inter}-500-normal.woff2`, `${out}/public/fonts/inter/Inter-Medium.woff2`);
