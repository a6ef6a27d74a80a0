//! Transactions into the memory pool: from peers and from our own side, by the same checks.

use tabchain_consensus::{CheckedTransaction, Verdict, VerifiedBlock, VerifiedTransaction};
use tabchain_mempool::AdmitError;
use tabchain_primitives::{BlockHash, Height, Transaction, TxId};
use tabchain_sync::PeerId;

use crate::node::Node;
use crate::verify::Job;
use crate::{CommandError, CommandId, Event, Reply, TransactionStatus, TransactionView};

/// Transactions told of one by one when the tip moves, those of the newest blocks first; the rest goes without saying.
const MAX_TOLD: usize = 512;
/// Reverted blocks whose transactions are told of; of a deeper reorg people need to know the depth, not each payment.
const MAX_TOLD_REVERTED: usize = 16;

impl Node {
    /// All checks of a peer's transaction but that of its signature, which costs most: none if it is of no interest now, its id
    /// if it breaks a rule.
    pub(crate) fn check_relayed(
        &mut self,
        peer: &PeerId,
        transaction: Transaction,
    ) -> Result<Option<CheckedTransaction>, TxId> {
        let id = transaction.id();
        let checked = CheckedTransaction::check(&self.config.spec, transaction).map_err(|_| id)?;
        let next = self.next_height();
        let Ok(is_held) = self.mempool.consider(&checked, &self.chain, next) else {
            self.relay.refuse(id);
            return Ok(None);
        };
        // Another may still give it, so it is not refused.
        let has_room = !is_held || self.has_room_to_hold(peer, checked.size());
        Ok(has_room.then_some(checked))
    }

    /// Takes a peer's verified transaction into the pool and passes it on. What the pool does not take is no fault of the peer:
    /// it may see another tip.
    pub(crate) fn admit_relayed(&mut self, peer: PeerId, transaction: VerifiedTransaction) {
        let (id, bytes) = (transaction.id(), transaction.transaction().size());
        let next = self.next_height();
        match self.mempool.consider(transaction.as_checked(), &self.chain, next) {
            Ok(true) if !self.has_room_to_hold(&peer, bytes) => return,
            Ok(true) => self.held.note(peer, id, bytes),
            Ok(false) | Err(_) => {}
        }
        if self.admit(transaction, false).is_err() {
            self.relay.refuse(id);
        } else if let Some(peer) = self.peers.get_mut(&peer) {
            peer.merits.last_transaction = Some(self.now);
        }
    }

    /// Whether what one peer gave may take so many bytes more of what is held behind gaps.
    fn has_room_to_hold(&mut self, peer: &PeerId, bytes: usize) -> bool {
        let mempool = &self.mempool;
        self.held.has_room(peer, bytes, |id| mempool.is_held(id))
    }

    /// A peer left: of what such peers gave and is held behind gaps, only so much stays.
    pub(crate) fn settle_held(&mut self, left: &PeerId) {
        let mempool = &self.mempool;
        for id in self.held.left(left, |id| mempool.is_held(id)) {
            self.mempool.forget_held(&id);
        }
    }

    /// Takes a transaction of our own side, signed, as far as its signature check.
    pub(crate) fn send_transaction(&mut self, command: CommandId, transaction: Transaction) {
        match CheckedTransaction::check(&self.config.spec, transaction) {
            Ok(checked) => self.verify(Job::Own { checked: Box::new(checked), command }),
            Err(error) => self.reply(command, Err(error.into())),
        }
    }

    pub(crate) fn own_verified(&mut self, checked: CheckedTransaction, command: CommandId, verdict: Verdict) {
        let admitted = checked.verified(verdict).map_err(CommandError::from).and_then(|transaction| {
            let view = TransactionView::pending(transaction.transaction());
            self.admit(transaction, true)?;
            Ok(view)
        });
        let reply = admitted.map(|view| Reply::Transaction(Some(Box::new(view))));
        self.reply(command, reply);
    }

    /// After the tip moved: drops what no longer holds, and looks again at what was refused.
    pub(crate) fn settle_mempool(&mut self) {
        let next = self.next_height();
        let dropped = self.mempool.settle(&self.chain, next);
        for (id, _) in dropped {
            self.tell_dropped(&id);
        }
        let mempool = &self.mempool;
        self.pending.note_settled(mempool.len(), |id| mempool.contains(id));
        self.relay.reconsider();
    }

    /// Tells that transactions of newly adopted blocks are confirmed.
    pub(crate) fn tell_confirmed(&mut self, adopted: &[BlockHash]) {
        for hash in adopted {
            self.wallet.confirmed(self.blocks.block(hash));
        }
        if self.is_catching_up() {
            return;
        }
        let (mut room, mut newest_first) = (MAX_TOLD, Vec::new());
        for hash in adopted.iter().rev() {
            let Some(block) = self.blocks.block(hash) else { continue };
            let header = block.block().header;
            let told = (0..).zip(&block.block().transactions).take(room);
            let told = told.map(|(at, transaction)| self.confirmed_view(transaction, *hash, &header, at));
            newest_first.push(told.collect::<Vec<_>>());
            room -= newest_first.last().map_or(0, Vec::len);
        }
        for view in newest_first.into_iter().rev().flatten() {
            self.event(Event::Transaction(Box::new(view)));
        }
    }

    /// Tells that transactions of blocks that left the active chain wait again, as far as they still can be confirmed:
    /// our own side, and the peers, who may never have seen those blocks.
    pub(crate) fn tell_pending_again(&mut self, reverted: &[BlockHash]) {
        if reverted.is_empty() {
            return;
        }
        let waiting: Vec<TxId> = self.mempool.ids().copied().collect();
        for id in waiting {
            self.relay.tell(id);
        }
        let blocks = reverted.iter().take(MAX_TOLD_REVERTED).filter_map(|hash| self.blocks.block(hash));
        let waiting = blocks.flat_map(VerifiedBlock::ids).filter_map(|id| Some((*id, self.mempool.get(id)?)));
        let mut views = Vec::new();
        // The wallet watches all of its own, however many are told of.
        for (id, transaction) in waiting {
            self.wallet.pending(id, transaction);
            if views.len() < MAX_TOLD {
                views.push(TransactionView::pending(transaction));
            }
        }
        for view in views {
            self.event(Event::Transaction(Box::new(view)));
        }
    }

    pub(crate) fn next_height(&self) -> Height {
        self.chain.tip().height.next().unwrap_or(Height::MAX)
    }

    pub(crate) fn admit(&mut self, transaction: VerifiedTransaction, is_own: bool) -> Result<(), AdmitError> {
        let id = transaction.id();
        let view = TransactionView::pending(transaction.transaction());
        let next = self.next_height();
        let admitted = self.mempool.insert(transaction, &self.chain, next)?;
        for gone in admitted.replaced.into_iter().chain(admitted.evicted) {
            self.tell_dropped(&gone);
        }
        self.mining.note_mempool();
        self.pending.note(id, is_own);
        self.wallet.pending(id, &view.transaction);
        self.relay.tell(id);
        self.event(Event::Transaction(Box::new(view)));
        Ok(())
    }

    /// Tells that one of our own transactions is gone.
    fn tell_dropped(&mut self, id: &TxId) {
        if let Some(transaction) = self.wallet.dropped(id) {
            let view = TransactionView {
                status: TransactionStatus::Dropped,
                ..TransactionView::pending(&transaction)
            };
            self.event(Event::Transaction(Box::new(view)));
        }
    }
}
