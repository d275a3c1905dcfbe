// Who pays in which group: nobody else uses that account, so nonces never race.

export const SENDER = {
    cast: 0,
    viem: 1,
    ethers: 2,
    takeover: { cast: 3, viem: 4, ethers: 5 },
    errors: { cast: 6, viem: 7, ethers: 8 },
    batches: 9,
};

// Receivers that have nothing before; n keeps the sums of the groups apart.
export const receiver = n => `0x${(0xba7000 + n).toString(16).padStart(40, "0")}`;

export const GWEI = 1000000000n;
