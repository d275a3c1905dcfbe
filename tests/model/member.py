"""One core, as its trace tells of it: what it can know, and whether what it did was allowed.

Written from CONSENSUS 3, 4, 5 and 8; shares nothing with the core. It is told everything that the
core was shown, so it knows at least as much: what the core does must be allowed to this member."""

NOTARIZE, SKIP, FINALIZE = 1, 2, 3
LAST, EMPTY = 1, 2


class Broken(Exception):
    """A rule was not followed."""


class Header:
    def __init__(self, slot, parent, flags, leader):
        self.slot, self.parent, self.flags, self.leader = slot, parent, flags, leader


class Member:
    def __init__(self, headers, fields):
        self.headers = headers
        (self.me, self.n, self.quorum, self.faulty, self.turn_slots, self.depth,
         self.trusting) = (int(x) for x in fields[:7])
        self.anchor = fields[7]
        self.weight = {}
        self.known = {self.anchor}       # headers held
        self.proposed = set()            # ... with their leader's signature
        self.bodies = set()
        self.valid = {self.anchor}       # by the own client
        self.noted = {self.anchor}       # notarized: a certificate, own or a descendant's
        self.finals = {self.anchor}      # final, in the same way
        self.final_slots = {0}           # slots of finalize certificates held
        self.told_final = 0              # ... the highest that came whole: votes may be dropped
        self.skips = set()               # slots of skip certificates held
        self.tally = {}                  # (kind, slot, block) -> signers
        self.own = {NOTARIZE: {}, SKIP: {}, FINALIZE: {}}
        self.waiting = []                # (sequence, votes) that are not durable
        self.at_slot = {}                # headers held, by slot
        self.head = self.anchor          # delivered
        self.cur = 1
        self.curs = {1}                  # during this step
        self.proofs = []                 # certificates of the write at hand
        self.sequence = 0

    # ---- slots and turns

    def turn(self, slot):
        return (slot - 1) // self.turn_slots

    def first(self, turn):
        return turn * self.turn_slots + 1

    def last(self, turn):
        return (turn + 1) * self.turn_slots

    def slot_after(self, block):
        h = self.headers[block]
        if h.slot == 0:
            return 1
        return self.last(self.turn(h.slot)) + 1 if h.flags & LAST else h.slot + 1

    # ---- what it knows

    def learn_header(self, block):
        if block in self.known:
            return
        self.known.add(block)
        self.at_slot.setdefault(self.headers[block].slot, []).append(block)
        for marks in (self.noted, self.finals):
            if block in marks:
                marks.discard(block)
                self.mark(marks, block)

    def mark(self, marks, block):
        """A block and every ancestor whose header path is held."""
        while block not in marks:
            marks.add(block)
            if block not in self.known:
                return
            block = self.headers[block].parent

    def told_certificate(self, kind, slot, block):
        self.learn_certificate(kind, slot, block)
        if kind == FINALIZE:
            self.told_final = max(self.told_final, slot)

    def learn_certificate(self, kind, slot, block):
        if kind == SKIP:
            self.skips.add(slot)
            return
        self.mark(self.noted, block)
        if kind == FINALIZE:
            self.final_slots.add(slot)
            self.mark(self.finals, block)

    def learn_vote(self, signer, kind, slot, block):
        key = (kind, slot, block)
        signers = self.tally.setdefault(key, set())
        signers.add(signer)
        if sum(self.weight[i] for i in signers) >= self.quorum:
            self.learn_certificate(kind, slot, block)

    def durable(self, sequence):
        for seq, votes in self.waiting:
            if seq <= sequence:
                for kind, slot, block in votes:
                    self.learn_vote(self.me, kind, slot, block)
        self.waiting = [w for w in self.waiting if w[0] > sequence]

    def executed(self, block):
        while block not in self.valid:
            if block not in self.known or not self.headers[block].flags & EMPTY:
                return False
            block = self.headers[block].parent
        return True

    def body_here(self, block):
        return block in self.bodies or bool(self.headers[block].flags & EMPTY)

    def skipped(self, slot):
        first = self.first(self.turn(slot))
        return any(u in self.skips for u in range(first, slot + 1))

    def void(self, slot, parent):
        p = self.headers[parent]
        by_last = p.slot != 0 and p.flags & LAST and self.turn(p.slot) == self.turn(slot)
        return by_last or self.skipped(slot)

    # ---- what it does

    def enters(self, slot):
        """M1, M2, M3: something held explains the move."""
        reasons = [b for s in range(max(self.cur, slot - self.turn_slots), slot)
                   for b in self.at_slot.get(s, []) if self.slot_after(b) == slot]
        by_block = any(b in self.finals or (b in self.noted and self.executed(b))
                       for b in reasons)
        by_skip = self.skipped(self.cur) and slot == self.last(self.turn(self.cur)) + 1
        if slot <= self.cur or not (by_block or by_skip):
            raise Broken(f"M: enters slot {slot} from {self.cur} with nothing that explains it")
        self.cur = slot
        self.curs.add(slot)

    def delivers(self, block):
        if block not in self.finals:
            raise Broken(f"delivers slot {self.headers[block].slot} without a certificate")
        if self.headers[block].parent != self.head:
            raise Broken(f"delivers slot {self.headers[block].slot}, which does not follow")
        self.head = block
        self.learn_header(block)

    def writes(self, sequence):
        self.sequence = sequence
        self.proofs = []
        self.waiting.append((sequence, []))

    def signs(self, kind, slot, block):
        {NOTARIZE: self.notarizes, SKIP: self.skips_slot, FINALIZE: self.finalizes}[kind](slot, block)
        if slot in self.own[kind]:
            raise Broken(f"signs kind {kind} twice at slot {slot}")
        self.own[kind][slot] = block
        self.waiting[-1][1].append((kind, slot, block))

    def notarizes(self, slot, block):
        h = self.headers.get(block)
        if h is None or block not in self.known or h.slot != slot or block not in self.proposed:
            raise Broken(f"N1: notarizes slot {slot}, which its leader did not propose here")
        if slot in self.own[SKIP] or slot <= self.told_final:
            raise Broken(f"N2: notarizes slot {slot} beside its own skip, or not above final "
                         f"{self.told_final}")
        turn = self.turn(slot)
        if not any(c <= slot <= c + self.depth and self.turn(c) == turn for c in self.curs):
            raise Broken(f"N3: notarizes slot {slot} while in {sorted(self.curs)}")
        if not self.body_here(block):
            raise Broken(f"N5: notarizes slot {slot} without its body")
        if slot == self.first(turn):
            self.first_of_turn(slot, h)
        else:
            self.inside_turn(slot, h)

    def first_of_turn(self, slot, h):
        if slot not in self.curs:
            raise Broken(f"N4: notarizes first slot {slot} while in {sorted(self.curs)}")
        if h.parent not in self.noted or not self.executed(h.parent):
            raise Broken(f"N4: notarizes slot {slot} on a parent not notarized and executed")
        for t in range(self.headers[h.parent].slot + 1, slot):
            if not self.void(t, h.parent):
                raise Broken(f"N4: notarizes slot {slot} over slot {t}, which is not void")

    def inside_turn(self, slot, h):
        p = self.headers.get(h.parent)
        if p is None or p.slot != slot - 1 or p.flags & LAST:
            raise Broken(f"N4: notarizes slot {slot} on a parent that is not the one before")
        if h.parent not in self.noted and self.own[NOTARIZE].get(slot - 1) != h.parent:
            raise Broken(f"N4: notarizes slot {slot} on a parent it does not know")

    def skips_slot(self, slot, _):
        turn = self.turn(slot)
        ahead = slot == self.first(turn) and any(
            self.turn(c) < turn <= self.turn(c) + self.n for c in self.curs)
        if slot not in self.curs and not ahead:
            raise Broken(f"S1: skips slot {slot} while in {sorted(self.curs)}")
        if any(s in self.own[FINALIZE] for s in range(slot, self.last(turn) + 1)):
            raise Broken(f"S2: skips slot {slot} beside its own finalize")

    def finalizes(self, slot, block):
        if block not in self.noted or block not in self.known:
            raise Broken(f"F1: finalizes slot {slot}, which is not notarized")
        if not any(kind != SKIP and self.reaches(proof, block) for kind, _, proof in self.proofs):
            raise Broken(f"F1: finalizes slot {slot}, the proof is not in the write")
        own = self.headers[block].leader == self.me
        if (own or not self.trusting) and not self.executed(block):
            raise Broken(f"F2: finalizes slot {slot}, not executed")
        first = self.first(self.turn(slot))
        held = max(s for s in self.final_slots if s < slot)
        for u in range(first, slot + 1):
            if u in self.own[SKIP] and u > held:
                raise Broken(f"F3: finalizes slot {slot} behind its skip of {u}")
        if slot <= self.told_final:
            raise Broken(f"F4: finalizes slot {slot} at or below a final one")

    def reaches(self, block, ancestor):
        slot = self.headers[ancestor].slot
        while block in self.known and self.headers[block].slot > slot:
            block = self.headers[block].parent
        return block == ancestor
