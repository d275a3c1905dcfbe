// Results: one line for each thing that must hold, and how long it may take.

export class Failure extends Error {}

export function require(condition, why) {
    if (!condition) {
        throw new Failure(why);
    }
}

export function equal(got, wanted, what) {
    require(got === wanted, `${what}: ${got}, expected ${wanted}`);
}

export const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

// Waits until condition() is true; returns its value.
export async function until(condition, limitMs, what) {
    const end = Date.now() + limitMs;
    for (;;) {
        const value = await condition();
        if (value) {
            return value;
        }
        require(Date.now() < end, `waited ${limitMs / 1000} s for: ${what}`);
        await pause(20);
    }
}

export async function within(limitMs, what, promise) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(
            () => reject(new Failure(`${what} took over ${limitMs / 1000} s`)),
            limitMs,
        );
    });
    try {
        return await Promise.race([promise, late]);
    } finally {
        clearTimeout(timer);
    }
}

// The error that a promise must end in.
export async function refused(promise, what) {
    let value;
    try {
        value = await promise;
    } catch (e) {
        return e;
    }
    throw new Failure(`${what} was not refused but gave ${JSON.stringify(value, plain)}`);
}

export const plain = (_, value) => (typeof value === "bigint" ? value.toString() : value);

const oneLine = text => text.replace(/\s+/g, " ").trim().slice(0, 600);

export class Results {
    passed = 0;
    failed = 0;

    async check(name, body, limitMs = 30000) {
        try {
            await within(limitMs, "it", body());
            this.passed++;
            console.log(`ok ${name}`);
        } catch (e) {
            this.failed++;
            const cause = e.cause ? ` (${e.cause.message || e.cause.code})` : "";
            console.log(`FAILED ${name}: ${oneLine((e.message || String(e)) + cause)}`);
            if (!(e instanceof Failure) && process.env.VERBOSE) {
                console.log(e.stack);
            }
        }
    }
}
