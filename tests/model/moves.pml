/* moves.pml - where members go (CONSENSUS 5: M1, M2, M3), what they hold, and what a crash leaves.
 *
 * Three honest members; in bft a liar helps certificates into being and shows them to whom it likes:
 * NEED honest votes make one. What a member holds when it acts is any part of what exists: it may
 * not have heard of the rest, or have lost it in a crash just before. Its votes it never loses, nor
 * what was durable with them (8: F1's proof). It votes only in the slot to which what it holds leads.
 * Timers are moments at which a member may skip; leaders are any member that is there, so members
 * are interchangeable, and kept sorted. One block a slot: two of them are for votes.pml.
 *
 * Checked:
 *   parent   who stands at the first slot of a turn holds what justifies a parent
 *   moves    from every state, all having crashed, with everything that anybody still holds shown to
 *            all, the liar silent and no leader alive, timers alone take everybody past the last slot
 *
 * -DDROP=n takes one rule away: see tests/model/run. */
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef K
#define K 2
#endif
#ifndef DROP
#define DROP 0
#endif
#ifndef QUORUM
#define QUORUM 3 /* honest votes that suffice when the liar is silent: 3 (bft), 2 (crash) */
#endif
#define NEED 2

#define DROP_M2_TURN      1 /* turn by turn, never a jump to a later skip certificate */
#define DROP_M2_FROM      2 /* a skip certificate at or before the current slot, not behind it */
#define DROP_M3_SKIP      3 /* an own skip at a notarized slot does not forbid to move on */
#define DROP_F1_DURABLE   4 /* the proof is durable before a finalize leaves */
#define DROP_RESEND       5 /* own votes are said again after a crash */
#define DROP_BUNDLE_PROOF 6 /* the bundle holds the certificate of the parent */

#define BIT(s)     (1 << (s))
#define HAS(m, s)  (((m) >> (s)) & 1)
#define FIRST(s)   (((s) - 1) / K * K + 1)
#define END(s)     (FIRST(s) + K - 1)
#define SPAN(a, b) (255 & (BIT((b) + 1) - 1) & ~(BIT(a) - 1))
#define VOTES(v, s) (HAS(v[0], s) + HAS(v[1], s) + HAS(v[2], s))

byte notarized[3], skipped[3], finalized[3]; /* own votes, by slot */
byte kept[3];                                /* proofs durable with a finalize */
byte proposed;                               /* slots with a block */
byte up[SLOTS + 1];                          /* the slot of its parent, at first slots */

byte i, s, t, m, cur, parent, next, done;    /* at work within a step; 0 between steps */
byte proofs, voids, finals;                  /* certificates held by who acts */
hidden byte p[3], v[3], f[3], n[3];          /* healing: certificates, skip votes */
hidden byte all_p, all_v, all_f, more, round;

/* m: the slots that these certificates prove notarized, with every ancestor. */
inline prove(certs, final_certs) {
    m = 1 | (certs) | (final_certs);
    t = SLOTS;
    do
    :: t > 0 ->
        if
        :: HAS(m, t) -> m = m | BIT((t == FIRST(t)) -> up[t] : (t - 1))
        :: else
        fi;
        t--
    :: else -> break
    od
}

#define OVER(at, skips) (((skips) & SPAN(FIRST(at), at)) != 0)

/* cur: the slot where these certificates lead; m is proved. */
inline go(skips, final_certs, own_skips) {
    cur = 1; next = 1;
    do
    :: next != 0 && cur <= SLOTS ->
        next = 0;
        t = SLOTS;
        do :: t >= cur && !HAS(final_certs, t) -> t-- :: else -> break od;
        if
        :: t >= cur -> next = t + 1                                       /* M1 */
        :: else ->
            if
#if DROP == DROP_M2_TURN
            :: ((skips) & SPAN(cur, SLOTS)) != 0 || OVER(cur, skips) ->
                t = SLOTS;
                do :: t > cur && !HAS(skips, t) -> t-- :: else -> break od;
                next = END(t) + 1
#elif DROP == DROP_M2_FROM
            :: ((skips) & SPAN(FIRST(cur), END(cur))) != 0 -> next = END(cur) + 1
#else
            :: OVER(cur, skips) -> next = END(cur) + 1                    /* M2 */
#endif
            :: else ->
                t = SLOTS;
#if DROP == DROP_M3_SKIP
                do :: t >= cur && (!HAS(m, t) || HAS(own_skips, t)) -> t-- :: else -> break od;
#else
                do :: t >= cur && !HAS(m, t) -> t-- :: else -> break od;
#endif
                if :: t >= cur -> next = t + 1 :: else fi                 /* M3 */
            fi
        fi;
        if :: next != 0 -> cur = next :: else fi
    :: else -> break
    od
}

/* parent: the highest slot below `at` that is proved, with all between void; 255: none. */
inline find_parent(at, skips) {
    parent = at - 1; s = at - 1;
    do
    :: HAS(m, parent) -> break
    :: !HAS(m, parent) && !OVER(parent, skips) -> parent = 255; break
    :: else -> parent--
    od;
    s = 0
}

/* ---- what must hold ------------------------------------------------------------------------- */

inline check_parent() {
    if
    :: cur == FIRST(cur) ->
        find_parent(cur, voids);
        assert(parent != 255);
        parent = 0
    :: else
    fi
}

/* Everybody learns everything; certificates of honest votes are made. */
inline share() {
#if DROP == DROP_RESEND
#define SAID(w, at) 0
#define NEW(a, at) HAS(n[a] & ~skipped[a], at)
#define SAID_SKIP(at) (NEW(0, at) + NEW(1, at) + NEW(2, at))
#else
#define SAID(w, at) VOTES(w, at)
#define SAID_SKIP(at) VOTES(n, at)
#endif
    all_p = 0; all_v = 0; all_f = 0;
    i = 0;
    do
    :: i < 3 ->
#if DROP != DROP_BUNDLE_PROOF
        all_p = all_p | p[i];
#endif
        all_v = all_v | v[i];
        all_f = all_f | f[i];
        i++
    :: else -> break
    od;
    s = 1;
    do
    :: s <= SLOTS ->
        if :: SAID(notarized, s) >= QUORUM -> all_p = all_p | BIT(s) :: else fi;
        if :: SAID_SKIP(s) >= QUORUM -> all_v = all_v | BIT(s) :: else fi;
        if :: SAID(finalized, s) >= QUORUM -> all_f = all_f | BIT(s) :: else fi;
        s++
    :: else -> break
    od;
    i = 0;
    do
    :: i < 3 -> p[i] = p[i] | all_p; v[i] = v[i] | all_v; f[i] = f[i] | all_f; i++
    :: else -> break
    od
}

/* Every timer of every member is due. */
inline time_out() {
    more = 0; i = 0;
    do
    :: i < 3 ->
        prove(p[i], f[i]);
        go(v[i], f[i], n[i]);
        if
        :: cur <= SLOTS ->
            more = 1;
            if :: (finalized[i] & SPAN(cur, END(cur))) == 0 -> n[i] = n[i] | BIT(cur) :: else fi
        :: else
        fi;
        i++
    :: else -> break
    od
}

inline check_moves() {
    i = 0;
    do
    :: i < 3 -> p[i] = kept[i]; v[i] = 0; f[i] = 0; n[i] = skipped[i]; i++
    :: else -> break
    od;
    round = 0; more = 1;
    do
    :: more != 0 && round <= 2 * SLOTS -> share(); time_out(); round++
    :: else -> break
    od;
    assert(more == 0)
}

/* ---- interchangeable members ---------------------------------------------------------------- */

#define KEY(a) ((notarized[a] << 15) + (skipped[a] << 10) + (finalized[a] << 5) + kept[a])

inline sort_pair(a, b) {
    if
    :: KEY(a) > KEY(b) ->
        t = notarized[a]; notarized[a] = notarized[b]; notarized[b] = t;
        t = skipped[a]; skipped[a] = skipped[b]; skipped[b] = t;
        t = finalized[a]; finalized[a] = finalized[b]; finalized[b] = t;
        t = kept[a]; kept[a] = kept[b]; kept[b] = t
    :: else
    fi
}

inline settle() {
    d_step {
        if
        :: done != 0 ->
            check_moves();
            sort_pair(0, 1); sort_pair(1, 2); sort_pair(0, 1)
        :: else
        fi;
        done = 0; i = 0; s = 0; t = 0; m = 0; cur = 0; parent = 0; next = 0;
        proofs = 0; voids = 0; finals = 0
    }
}

/* ---- a run ---------------------------------------------------------------------------------- */

#define MADE(votes, at) ((VOTES(votes, at) >= NEED) -> BIT(at) : 0)

/* Some of the certificates that exist. */
inline hold(w) {
    s = 1;
    do
    :: s <= SLOTS ->
        if :: proofs = proofs | MADE(notarized, s) :: VOTES(notarized, s) >= NEED fi;
        if :: voids = voids | MADE(skipped, s) :: VOTES(skipped, s) >= NEED fi;
        if :: finals = finals | MADE(finalized, s) :: VOTES(finalized, s) >= NEED fi;
        s++
    :: else -> break
    od;
    proofs = proofs | kept[w]
}

/* Where that leads. */
inline look(w) {
    prove(proofs, finals);
    go(voids, finals, skipped[w]);
    check_parent()
}

/* A block at this slot: at a first slot its parent is what the first there can justify. */
inline propose(w) {
    if
    :: cur == FIRST(cur) && !HAS(proposed, cur) ->
        find_parent(cur, voids);
        up[cur] = parent;
        proposed = proposed | BIT(cur)
    :: cur != FIRST(cur) -> proposed = proposed | BIT(cur)
    :: else
    fi
}

inline try_notarize(w) {
    if
    :: cur <= SLOTS ->
        if
        :: !HAS(notarized[w] | skipped[w], cur) ->
            propose(w);
            if
            :: cur != FIRST(cur) -> notarized[w] = notarized[w] | BIT(cur); done = 1
            :: cur == FIRST(cur) && HAS(m, up[cur]) ->
                t = up[cur] + 1;
                do :: t < cur && OVER(t, voids) -> t++ :: else -> break od;
                if :: t == cur -> notarized[w] = notarized[w] | BIT(cur); done = 1 :: else fi
            :: else
            fi
        :: else
        fi
    :: else
    fi
}

/* S1: here, or at the first slot of the next turn. */
inline try_skip(w, ahead) {
    if :: (ahead) != 0 && cur <= SLOTS -> cur = END(cur) + 1 :: else fi;
    if
    :: cur <= SLOTS && !HAS(skipped[w], cur) && (finalized[w] & SPAN(cur, END(cur))) == 0 ->
        skipped[w] = skipped[w] | BIT(cur); done = 1
    :: else
    fi
}

inline try_finalize(w) {
    t = s - 1;
    do :: t > 0 && !HAS(finals, t) -> t-- :: else -> break od;
    if
    :: HAS(m, s) && !HAS(finalized[w], s) &&
       (skipped[w] & SPAN(FIRST(s), s) & ~SPAN(0, t)) == 0 ->
        finalized[w] = finalized[w] | BIT(s); done = 1;
#if DROP != DROP_F1_DURABLE
        kept[w] = kept[w] | ((proofs | finals) & SPAN(s, SLOTS));
#endif
    :: else
    fi
}

active proctype moves() {
    byte w;
    do
    :: atomic {
        select(w : 0 .. 2);
        hold(w);
        d_step { look(w) };
        if
        :: true -> try_notarize(w)
        :: true -> try_skip(w, 0)
        :: true -> try_skip(w, 1)
        :: true -> select(s : 1 .. SLOTS); try_finalize(w)
        fi;
        w = 0; settle()
    }
    od
}
