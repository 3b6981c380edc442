/** Bundling Pipevine for boards: executables, Debian packages, signed releases, and the service of a machine. */
export { type BoardBundle, type BoardBundleInit, type BundledFile, bundleBoard } from './board-bundle.ts';
export { BoardsError, type BoardsErrorCode } from './boards-error.ts';
export type { Compression } from './debian/xz.ts';
export { BOARD_PROFILES, type BoardProfile, boardProfile, type PeerProfile } from './profiles/board-profile.ts';
export { type Verified, verifyFile } from './release/checksums.ts';
export {
  createSigningKey,
  forgetKey,
  keyFolder,
  publicKeyText,
  readSigningKey,
  type TrustedKey,
  trustedKeys,
  trustKey,
} from './release/signing-key.ts';
export {
  installService,
  type ServiceHost,
  serviceHost,
  serviceLogs,
  serviceStatus,
  uninstallService,
} from './service/service.ts';
export { makeServiceBundle } from './service/service-bundle.ts';
export { systemdUnit } from './service/systemd-unit.ts';
