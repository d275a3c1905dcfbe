/* votes.pml - what members may sign (CONSENSUS 4: N, S, F; 3: certificates, void), and nothing else.
 *
 * Three honest members and, in bft (n = 4, Q = 3), one liar that signs everything for everybody: a
 * certificate can be made as soon as NEED honest votes exist. In crash mode (n = 3, Q = 2) there
 * are the three alone, and the same two votes are a quorum; no turn is then a liar's (-DLIAR=9).
 *
 * There are no channels, timers, slots-to-be-in or proposals in flight. A vote may be cast at any
 * moment at which the rules allow it to somebody who knows all that exists; whoever knows less is
 * allowed less. So a network may lose, delay, repeat and reorder what it likes, members may crash
 * and forget what they did not need to keep, and every such run is among the runs here.
 *
 * What a run draws first: for each slot of an honest leader one block, for each slot of the liar one
 * or two; the parent of each; which carry LAST (-DLAST_FLAG); which one no client accepts
 * (-DBAD_BLOCK); and which of its two blocks each member would like. The free part are skip and
 * finalize votes. Notarize votes follow from them: they only ever allow more, so each is cast at
 * the first moment at which it is allowed.
 *
 * Three things make the space smaller without losing a run:
 *   - of the liar's two blocks the one that fewer honest members like is called the second: at most
 *     one member likes it; where nobody does it does not exist;
 *   - members that like the same blocks are interchangeable: their votes are kept sorted;
 *   - N2's "no own skip at s", N2's "above the highest final slot", N3 and S1 are left
 *     out: what they forbid is allowed here, and nothing breaks; they bound memory and help to agree
 *     sooner. (F4 is here where F3 leans on it.) N4's "executed here" as well: what stands on a block
 *     that clients refuse can be notarized here, and F2 alone keeps it from being final.
 *
 * Checked after every vote:
 *   one      at most one block of a slot can be notarized; what can be final can be notarized
 *   exclude  no slot can be final and a slot at or before it in its turn skipped
 *   agree    all that can be final lies on one chain
 *   valid    (-DBAD_BLOCK) no block that clients refuse can be final
 * -DAGREE_ONLY checks agree and valid alone.
 *
 * -DDROP=n takes one rule away (the list is in tests/model/run, which demands that each is missed);
 * -DSHOW=n claims that something useful never happens, and must be refuted. */
#ifndef SLOTS
#define SLOTS 3
#endif
#ifndef K
#define K 2
#endif
#ifndef LIAR
#define LIAR 0 /* the turn that the liar leads */
#endif
#ifndef DROP
#define DROP 0
#endif
#ifndef SHOW
#define SHOW 0
#endif

#define DROP_N2_ONCE      1  /* notarize once a slot (or: the vote was not durable, and forgotten) */
#define DROP_N4_PARENT    2  /* first slot: the parent is notarized */
#define DROP_N4_GAP       3  /* first slot: all between is void */
#define DROP_N4_INSIDE    5  /* inside: the parent was notarized by this member or is certified */
#define DROP_N4_LAST      6  /* inside: the parent does not carry LAST */
#define DROP_VOID_TURN    7  /* LAST voids the rest of its own turn only */
#define DROP_VOID_FROM    8  /* a skip certificate voids from its slot on, not what is before it */
#define DROP_S2           9  /* no skip at or before an own finalize of the turn */
#define DROP_S_DURABLE   10  /* the skip vote is durable before it leaves */
#define DROP_F1          11  /* finalize only what is notarized */
#define DROP_F2          12  /* finalize only what is executed */
#define DROP_F3          13  /* the gate: own skips before it in the turn */
#define DROP_F3_SELF     14  /* ... the own skip of the very slot */
#define DROP_F4          15  /* nothing at or below the highest final slot; so F3: of this turn */
#define DROP_F3_ABOVE    16  /* ... excused only by one at or above the skip */
#define DROP_F_DURABLE   17  /* the finalize vote is durable before it leaves */
#define DROP_T1          18  /* an own vote counts here only when it is durable */
#define DROP_QUORUM      19  /* Q votes */
#define DROP_SAME_SLOT   20  /* skip votes of different slots are never added up */

#if DROP == DROP_QUORUM
#define NEED 1
#else
#define NEED 2
#endif
#define NONE 255

#define BIT(s)     (1 << (s))
#define HAS(m, s)  (((m) >> (s)) & 1)
#define FIRST(s)   (((s) - 1) / K * K + 1)
#define END(s)     (FIRST(s) + K - 1)
#define SPAN(a, b) (255 & (BIT((b) + 1) - 1) & ~(BIT(a) - 1)) /* slots a ... b */
#define OF_LIAR(s) (((s) - 1) / K == LIAR)
#define VOTES(v, s) (HAS(v[0], s) + HAS(v[1], s) + HAS(v[2], s))
#define SOME(m)    ((m) != 0)

/* A block is 2 * slot + which; the anchor is 0. */
#define SLOT_OF(b) ((b) / 2)

byte up[2 * (SLOTS + 1)];      /* its parent; NONE: there is no such block */
short lasts;                   /* blocks with LAST, by bit */
short refused;                 /* blocks that no client accepts, or that stand on one */
byte second[SLOTS + 1];        /* the member that likes the liar's second block; NONE */
byte skips[3], finals[3];      /* votes, by slot */
#if DROP == DROP_S_DURABLE || DROP == DROP_F_DURABLE
byte gone_skips[3], gone_finals[3]; /* sent, and forgotten in a crash */
#endif
byte shown;                    /* DROP_T1: final for a member that has since crashed */

byte noted[2];                 /* certificates that can be made: notarize, by slot and which */
byte skipped, finalized, voided;

byte m, s, w, b, p, t;         /* at work within a step; 0 between steps */
hidden byte mine[6];           /* notarize votes of member m for which: [2 * m + which] */

#define PROVED(q)   HAS(noted[(q) % 2], SLOT_OF(q))
#define IS_LAST(q)  HAS(lasts, q)
#define REFUSED(q)  HAS(refused, q)

#if DROP == DROP_VOID_TURN
#define BY_LAST(q) ((IS_LAST(q) && (q) > 1) -> SPAN(SLOT_OF(q) + 1, SLOTS) : 0)
#else
#define BY_LAST(q) ((IS_LAST(q) && (q) > 1) -> SPAN(SLOT_OF(q) + 1, END(SLOT_OF(q))) : 0)
#endif

#if DROP == DROP_N4_GAP
#define GAP_VOID(q, at) 1
#else
#define GAP_VOID(q, at) ((SPAN(SLOT_OF(q) + 1, (at) - 1) & ~(voided | BY_LAST(q))) == 0)
#endif
#if DROP == DROP_N4_PARENT
#define PARENT_PROVED(q) 1
#else
#define PARENT_PROVED(q) PROVED(q)
#endif
#define FIRST_OK(q, at) (PARENT_PROVED(q) && GAP_VOID(q, at))

#if DROP == DROP_N4_INSIDE
#define PARENT_KNOWN(who, q) 1
#else
#define PARENT_KNOWN(who, q) (HAS(mine[2 * (who) + (q) % 2], SLOT_OF(q)) || PROVED(q))
#endif
#if DROP == DROP_N4_LAST
#define GOES_ON(q) 1
#else
#define GOES_ON(q) (!IS_LAST(q))
#endif
#define INSIDE_OK(who, q) (PARENT_KNOWN(who, q) && GOES_ON(q))

#define MAY_NOTARIZE(who, at, q) \
    (((at) == FIRST(at)) -> FIRST_OK(q, at) : INSIDE_OK(who, q))

#if DROP == DROP_S2
#define MAY_SKIP(who, at) 1
#else
#define MAY_SKIP(who, at) ((finals[who] & SPAN(at, END(at))) == 0)
#endif

/* The own skips that close the gate of slot `at`. */
#if DROP == DROP_F3
#define CLOSING(who, at) 0
#elif DROP == DROP_F3_SELF
#define CLOSING(who, at) (skips[who] & SPAN(FIRST(at), (at) - 1))
#else
#define CLOSING(who, at) (skips[who] & SPAN(FIRST(at), at))
#endif
/* Slots at or below the highest finalization that may excuse them: t, found before. */
#if DROP == DROP_F3_ABOVE
#define GATE(who, at) ((CLOSING(who, at) == 0) || (t != 0 && !HAS(skips[who], at)))
#else
#define GATE(who, at) ((CLOSING(who, at) & ~SPAN(0, t)) == 0)
#endif
#if DROP == DROP_F4
#define EXCUSES(at) (finalized & ~1)
#define HIGHEST(at) SLOTS
#else
#define EXCUSES(at) (finalized & SPAN(FIRST(at), (at) - 1))
#define HIGHEST(at) ((at) - 1)
#endif

/* The block at a slot that finalize votes are for. */
#define NOTED_AT(at) (2 * (at) + HAS(noted[1], at))
#if DROP == DROP_F1
#define F1(at) 1
#else
#define F1(at) HAS(noted[0] | noted[1], at)
#endif
#if DROP == DROP_F2
#define F2(at) 1
#else
#define F2(at) (!REFUSED(NOTED_AT(at)))
#endif

#if DROP == DROP_S_DURABLE || DROP == DROP_F_DURABLE
#define CAST(kept, gone, at) \
    (HAS(kept[0] | gone[0], at) + HAS(kept[1] | gone[1], at) + HAS(kept[2] | gone[2], at))
#define SKIP_VOTES(at)  CAST(skips, gone_skips, at)
#define FINAL_VOTES(at) CAST(finals, gone_finals, at)
#else
#define SKIP_VOTES(at)  VOTES(skips, at)
#define FINAL_VOTES(at) VOTES(finals, at)
#endif
#if DROP == DROP_SAME_SLOT
#define SOME_SKIP(who, at) SOME(skips[who] & SPAN(FIRST(at), at))
#define SKIPPABLE(at) (SOME_SKIP(0, at) + SOME_SKIP(1, at) + SOME_SKIP(2, at) >= NEED)
#else
#define SKIPPABLE(at) (SKIP_VOTES(at) >= NEED)
#endif
#if DROP == DROP_VOID_FROM
#define VOID_BY_SKIP(at) SOME(skipped & SPAN(FIRST(at), END(at)))
#else
#define VOID_BY_SKIP(at) SOME(skipped & SPAN(FIRST(at), at))
#endif

/* ---- certificates --------------------------------------------------------------------------- */

inline count_free_votes() {
    skipped = 0; finalized = 1 | shown; voided = 0;
    s = 1;
    do
    :: s <= SLOTS ->
        if :: SKIPPABLE(s) -> skipped = skipped | BIT(s) :: else fi;
        if :: FINAL_VOTES(s) >= NEED -> finalized = finalized | BIT(s) :: else fi;
        s++
    :: else -> break
    od;
    s = 1;
    do
    :: s <= SLOTS ->
        if :: VOID_BY_SKIP(s) -> voided = voided | BIT(s) :: else fi;
        s++
    :: else -> break
    od
}

inline notarize(which) {
    b = 2 * s + (which);
    if
    :: up[b] != NONE ->
        if
        :: MAY_NOTARIZE(m, s, up[b]) -> mine[2 * m + (which)] = mine[2 * m + (which)] | BIT(s)
        :: else
        fi
    :: else
    fi
}

/* A vote at s rests on what is below s alone: one pass upwards finds them all. */
inline count_notarize_votes() {
    noted[0] = 1; noted[1] = 0;
    m = 0;
    do :: m < 6 -> mine[m] = 0; m++ :: else -> break od;
    s = 1;
    do
    :: s <= SLOTS ->
        m = 0;
        do
        :: m < 3 ->
#if DROP == DROP_N2_ONCE
            notarize(0); notarize(1);
#else
            if :: second[s] == m -> notarize(1) :: else -> notarize(0) fi;
#endif
            m++
        :: else -> break
        od;
        w = 0;
        do
        :: w < 2 ->
            if
            :: HAS(mine[w], s) + HAS(mine[2 + w], s) + HAS(mine[4 + w], s) >= NEED ->
                noted[w] = noted[w] | BIT(s)
            :: else
            fi;
            w++
        :: else -> break
        od;
        s++
    :: else -> break
    od
}

/* ---- what must hold ------------------------------------------------------------------------- */

inline check_one_and_exclude() {
    skip;
#ifndef AGREE_ONLY
    assert((noted[0] & noted[1]) == 0);
    assert((finalized & ~(noted[0] | noted[1])) == 0);
    s = 1;
    do
    :: s <= SLOTS ->
        assert(!(HAS(finalized, s) && (skipped & SPAN(FIRST(s), s)) != 0));
        s++
    :: else -> break
    od
#endif
}

/* From the highest final block down: a final slot below it is met with its block. */
inline check_agree() {
    s = SLOTS;
    do :: s > 0 && !HAS(finalized, s) -> s-- :: else -> break od;
    b = 0;
    if :: s > 0 -> b = NOTED_AT(s) :: else fi;
    do
    :: b > 1 ->
        assert(!REFUSED(b));
        p = up[b];
        t = SLOT_OF(p) + 1;
        do :: t < SLOT_OF(b) -> assert(!HAS(finalized, t)); t++ :: else -> break od;
        assert(p == 0 || !HAS(finalized, SLOT_OF(p)) || PROVED(p));
        b = p
    :: else -> break
    od
}

/* Claims that useful things never happen: each must be refuted. */
inline check_show() {
    skip;
#if SHOW == 1 /* the last slot becomes final */
    assert(!HAS(finalized, SLOTS));
#elif SHOW == 2 /* a slot is notarized and skipped */
    assert(((noted[0] | noted[1]) & skipped) == 0);
#elif SHOW == 3 /* a slot becomes final behind a skipped turn */
    assert(!(HAS(finalized, K + 1) && HAS(skipped, 1)));
#elif SHOW == 4 /* the liar's second block is voted for, and the first is final */
    assert(!(HAS(finalized, 1) && (mine[1] | mine[3] | mine[5]) != 0));
#elif SHOW == 5 /* a block stands on one with LAST */
    assert(!(lasts != 0 && HAS(finalized, K + 1) && IS_LAST(up[2 * (K + 1)])));
#endif
}

/* ---- interchangeable members ---------------------------------------------------------------- */

#if DROP == DROP_S_DURABLE || DROP == DROP_F_DURABLE
#define ORDERED(i, j) 1
#else
#define ORDERED(i, j) (skips[i] < skips[j] || (skips[i] == skips[j] && finals[i] <= finals[j]))
#endif

inline sort_pair(i, j) {
    if
    :: !ORDERED(i, j) ->
        t = skips[i]; skips[i] = skips[j]; skips[j] = t;
        t = finals[i]; finals[i] = finals[j]; finals[j] = t
    :: else
    fi
}

/* Member 2 likes a second block first, member 1 only after it, member 0 none: see draw(). */
inline sort_members() {
    w = 0; p = 0; s = 1;
    do
    :: s <= SLOTS ->
        if :: second[s] == 1 -> w = 1 :: second[s] == 2 -> p = 1 :: else fi;
        s++
    :: else -> break
    od;
    if :: w == 0 -> sort_pair(0, 1) :: else fi;
    if :: w == 0 && p == 0 -> sort_pair(1, 2); sort_pair(0, 1) :: else fi
}

inline settle() {
    d_step {
        count_free_votes();
        sort_members();
        count_notarize_votes();
        check_one_and_exclude();
        check_agree();
        check_show();
        m = 0; s = 0; w = 0; b = 0; p = 0; t = 0
    }
}

/* ---- a run ---------------------------------------------------------------------------------- */

inline draw_likes() {
    second[s] = NONE;
    if
    :: OF_LIAR(s) ->
        if
        :: skip
        :: second[s] = 2
        :: w != 0 -> second[s] = 1
        fi;
        if :: second[s] != NONE -> w = 1 :: else fi
    :: else
    fi
}

inline draw_block(which) {
    b = 2 * s + (which);
    if
    :: s == FIRST(s) ->
        p = 0;
        do
        :: p < 2 * s - 1 -> p++
        :: up[p] != NONE -> break
        od
    :: s != FIRST(s) -> p = 2 * (s - 1)
    :: s != FIRST(s) && up[2 * (s - 1) + 1] != NONE -> p = 2 * (s - 1) + 1
    fi;
    up[b] = p;
    if :: REFUSED(p) -> refused = refused | BIT(b) :: else fi;
#ifdef LAST_FLAG
    if :: s != END(s) || K == 1 -> lasts = lasts | BIT(b) :: skip fi;
#endif
#ifdef BAD_BLOCK
    if :: refused == 0 -> refused = refused | BIT(b) :: skip fi;
#endif
    p = 0; b = 0
}

inline draw() {
    up[0] = 0; up[1] = NONE; second[0] = NONE;
    w = 0; s = 1;
    do
    :: s <= SLOTS ->
        draw_likes();
        draw_block(0);
        up[2 * s + 1] = NONE;
        if
#if DROP == DROP_N2_ONCE
        :: OF_LIAR(s) -> draw_block(1)
#else
        :: second[s] != NONE -> draw_block(1)
#endif
        :: else
        fi;
        s++
    :: else -> break
    od;
    w = 0; s = 0
}

active proctype votes() {
    byte i, at;
    atomic { draw(); settle() }
    do
    :: atomic {
        select(i : 0 .. 2);
        select(at : 1 .. SLOTS);
        if
        :: !HAS(skips[i], at) && MAY_SKIP(i, at) -> skips[i] = skips[i] | BIT(at)
        :: else
        fi;
        i = 0; at = 0; settle()
    }
    :: atomic {
        select(i : 0 .. 2);
        select(at : 1 .. SLOTS);
        t = HIGHEST(at);
        do :: t > 0 && !HAS(EXCUSES(at), t) -> t-- :: else -> break od;
        if
        :: !HAS(finals[i], at) && F1(at) && F2(at) && GATE(i, at) ->
#if SHOW == 6 /* a member finalizes behind an own skip that a finalization excuses */
            assert(CLOSING(i, at) == 0);
#endif
#if DROP == DROP_T1
            if
            :: finals[i] = finals[i] | BIT(at)
            :: FINAL_VOTES(at) + 1 >= NEED && shown == 0 -> shown = BIT(at)
            fi
#else
            finals[i] = finals[i] | BIT(at)
#endif
        :: else
        fi;
        t = 0; i = 0; at = 0; settle()
    }
#if DROP == DROP_S_DURABLE || DROP == DROP_F_DURABLE
    :: atomic { /* a crash */
        select(i : 0 .. 2);
#if DROP == DROP_S_DURABLE
        gone_skips[i] = gone_skips[i] | skips[i]; skips[i] = 0;
#else
        gone_finals[i] = gone_finals[i] | finals[i]; finals[i] = 0;
#endif
        i = 0; settle()
    }
#endif
    od
}
