// Finds the addon: in the package for this platform, or in the build folder of a checkout.

'use strict';

const path = require('node:path');

/** The name of this platform, for example "linux-x64-gnu". On Linux it includes the C library. */
function platform() {
  const { platform, arch } = process;
  if (platform !== 'linux') {
    return `${platform}-${arch}`;
  }
  const isGnu = process.report.getReport().header.glibcVersionRuntime !== undefined;
  return `${platform}-${arch}-${isGnu ? 'gnu' : 'musl'}`;
}

function load() {
  const override = process.env.KVL_NODE_ADDON;
  const candidates = override ? [path.resolve(override)] : [path.join(__dirname, '..', 'build', 'kvlight.node'), `@kvlight/${platform()}`];
  const reasons = [];
  for (const candidate of candidates) {
    try {
      return require(candidate);
    } catch (error) {
      reasons.push(`${candidate}: ${String(error.message).split('\n')[0]}`);
    }
  }
  throw new Error(`kvlight: the addon could not be loaded. ${reasons.join('; ')}`);
}

const native = load();
const [major, minor] = native.version.split('.');
const expected = require('../package.json').version.split('.');
if (major !== expected[0] || minor !== expected[1]) {
  throw new Error(`kvlight: this package has version ${expected.join('.')}, but its addon has version ${native.version}`);
}

module.exports = { native, platform };
