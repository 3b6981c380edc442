/** Pipevine for boards: executables, packages, signed releases, images, cards, first boot, and the service of a machine. */
export { type BoardBundle, type BoardBundleInit, type BundledFile, bundleBoard } from './board-bundle.ts';
export { BoardsError, type BoardsErrorCode } from './boards-error.ts';
export type { Compression } from './debian/xz.ts';
export { applySetup } from './first-boot/apply-setup.ts';
export { type JoinOutcome, joinByCard } from './first-boot/join-by-card.ts';
export type { Drive, DrivePartition, DriveUse } from './flash/drive.ts';
export { listDrives } from './flash/drive-list.ts';
export { driveFault } from './flash/drive-rules.ts';
export { type Destination, type Flashed, findDestination, flash, unfinishedMark } from './flash/flash.ts';
export type { FlashPhase, FlashProgress } from './flash/progress-meter.ts';
export { type BoardImage, type BoardImageInit, makeBoardImage } from './image/board-image.ts';
export { debianImage } from './image/debian/debian-image.ts';
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
export type { BoardSetup } from './setup/board-setup.ts';
