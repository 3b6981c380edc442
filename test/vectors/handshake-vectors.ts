/**
 * Whole link handshakes with fixed keys, and the first records after them. Alice dials, Bob answers. Seeds: Alice 32
 * times a1, Bob 32 times b2; ephemeral private keys: Alice 32 times e1, Bob 32 times e2; both take records of 65,519
 * bytes. Stream framing (u16 length, pattern byte) is not included.
 */
import { annotatedHex } from './frame-vectors.ts';

export interface HandshakeVector {
  readonly name: 'XX' | 'IK';
  readonly pattern: 0 | 1;
  readonly messages: readonly Uint8Array[];
  /** Alice's first record: DATA `hello` on channel 5. */
  readonly firstFromAlice: Uint8Array;
  /** Bob's first record: PING 1. */
  readonly firstFromBob: Uint8Array;
  /** Alice's second record, after she has rekeyed: PING 1. */
  readonly rekeyedFromAlice: Uint8Array;
}

export const STATIC_KEYS = {
  alice: annotatedHex('f36396116efec286f71221eca7cab4359943aab60e4a6a56db059a39a1a4fd33'),
  bob: annotatedHex('cb0e7ac9a3d4394bcfb9ec993ae303160d65d96cbfa4de5531a787ee37cd9c3a'),
};

export const HANDSHAKE_VECTORS: readonly HandshakeVector[] = [
  {
    name: 'XX',
    pattern: 0,
    messages: [
      annotatedHex('4c2817a9d668ed844d2f95b93b69ecb8485095783a015a424164b0d09702894f ; e; no payload'),
      annotatedHex(`
        19d80204bf85f3e1118e1b23410c88f0d0eeced5156f4c5bdf347b14ed7ec63f ; e
        af5dc8f80e52b418b7ec20eac468db10446cb780bc4916870e73882c932db518 ; s, sealed
        52535df647a41a02ad62bbbd3421a69c                                 ; its tag
        0ef1947cf9620f908ed5f68452908321ad5f58607783d7698f65a92759e089eb83144aa545de4b5d531b505be4b55230
        b776d4b6dcdd12c0e0bd2f014e3025128b6a37d671d8d305718bbfff2e0f4c00724508b43e9870ff8fcc7fed13a1baed
        15908fba411334d8365f304367bd0a1d7ac113ad9c2737a4f17db7bf33bae920 ; identity payload, sealed, and its tag`),
      annotatedHex(`
        48c4aae8c137fda061790e296b509bfc7c746a226153166e0c1de8e4a607e4a8 ; s, sealed
        5f8de8e0d3b20c2405e6680976abcc48                                 ; its tag
        3a667cf274e985ca8ac48a8909f05c6fc0def5eb1757eeaee54df97ffed1bea0cc6afa93590bd0bf276b35a327dadfe4
        0044271692657c2145b2633c4b4e82da32bce3864ee95ce4365e4004d53cdc57ab958988aa2fa712ef43173402acb75a
        1d833c1b1ae88ae575ad344dc0743f7b92975a976838245c8aadf9cd182fd48f ; identity payload, sealed, and its tag`),
    ],
    firstFromAlice: annotatedHex('c2c519d7800d08728393a4c9750d1bcecddb4a52fdcf6d8154'),
    firstFromBob: annotatedHex('610c8ad04e1e6af83918f0157b83deb65ef054'),
    rekeyedFromAlice: annotatedHex('22557cc86027cda408c529310f1fd0c2fc0b2c'),
  },
  {
    name: 'IK',
    pattern: 1,
    messages: [
      annotatedHex(`
        4c2817a9d668ed844d2f95b93b69ecb8485095783a015a424164b0d09702894f ; e
        19b9a2619d64aedee8c875b7492838f33fb4474b8cfe4aa2e69c7167649264b0 ; s, sealed
        a2bd595141563d286717f193fb925824                                 ; its tag
        de28610efcde1fd12c89da8244d228f3c8477e3664d22fe8389da15e52a09cd7e5744781182a58309b25b489b2baf6ab
        0602867b3335fc180b9839aad9a12eb4201a80ec45217e3858eea7a515782c4e3d7011fbba268290cde62f68fbbbaf62
        3e8b1306199075de21902059cffcba8e5f4784b0c06d7f1f8a6dc56774669b42 ; identity payload, sealed, and its tag`),
      annotatedHex(`
        19d80204bf85f3e1118e1b23410c88f0d0eeced5156f4c5bdf347b14ed7ec63f ; e
        2cb544ccb1efe28f8329fd1096766eea64e1b85fe2b8df9a828751570f51ee93de54146c1d2da3f9b89f5e19a8efef63
        4bf8cbf8a7976cdefa04cdecb378eea073b864d6dd72c738e45a316fc9c8770e938d76d35abd80c71638b500a6724708
        fb1b929fbf6ffac82ac5ec70cf07418f495d6ba450551925c9aaabd56e92a8f8 ; identity payload, sealed, and its tag`),
    ],
    firstFromAlice: annotatedHex('b5c4a5e6315c2473de1ff2a10e9b36c849d8d6523cc65d3404'),
    firstFromBob: annotatedHex('5b859125a92abd2e8b8d3faaa661ca707e737f'),
    rekeyedFromAlice: annotatedHex('bba98531ebba6307d11609ed6ee475272fd078'),
  },
];
