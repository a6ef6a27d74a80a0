//! Whole nodes, natively: real store, real swarm, real sockets, real proof of work.
#![cfg(not(target_arch = "wasm32"))]

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use tabchain_consensus::ChainSpec;
use tabchain_driver::{
    Driver, DriverEvent, Ended, Handle, Listener, MiningOrder, Ports, Solution, SystemClock,
};
use tabchain_miner::Job;
use tabchain_net::{Net, NetCommand, NetConfig, NetEvent};
use tabchain_node::{Command, CommandError, Config, PeerAddress, PeerId, Reply, Status};
use tabchain_primitives::{Address, Height};
use tabchain_store::{MemoryStore, Store};
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use zeroize::Zeroizing;

struct Running {
    id: PeerId,
    node: Handle,
    net: Sender<NetCommand>,
    address: Option<PeerAddress>,
    run: JoinHandle<Ended>,
}

impl Running {
    /// Starts a node on `store`. Its address is known once the swarm listens.
    async fn start(seed: u8, store: impl Store + 'static) -> Self {
        let spec = Arc::new(ChainSpec::dev());
        let net_config = NetConfig::new(Zeroizing::new([seed; 32]), spec.genesis_hash())
            .with_listen(vec!["/ip4/127.0.0.1/tcp/0".parse().expect("valid")]);
        let id = PeerId::new(&net_config.peer_id().to_bytes()).expect("an id fits");
        let (net, net_handle) = Net::new(net_config).expect("the loopback can be listened on");
        spawn_local(net.run());

        let (mining_orders, orders) = async_channel::bounded(4);
        let (solved, solutions) = async_channel::bounded(4);
        thread::spawn(move || mine(&orders, &solved));
        let (net_commands, net_events) = (net_handle.commands.clone(), net_handle.events);
        let ports = Ports { net_commands, net_events, mining_orders, solutions, checkers: None };
        let (driver, node) = Driver::new(Config::new(spec, [seed; 32]), store, SystemClock, ports);
        let events = node.events();
        let run = spawn_local(driver.run());
        let mut running = Self { id, node, net: net_handle.commands, address: None, run };
        running.address = Some(running.listening(&events).await);
        running
    }

    async fn listening(&self, events: &Listener) -> PeerAddress {
        loop {
            if let DriverEvent::Listening(addresses) = events.next().await.expect("the node runs")
                && let Some(address) = addresses.into_iter().next()
            {
                return address;
            }
        }
    }

    async fn dial(&self, other: &Self) {
        let address = other.address.clone().expect("it listens");
        self.net.send(NetCommand::Dial(other.id, vec![address])).await.expect("the swarm runs");
    }

    /// The node's status, once it is open.
    async fn status(&self) -> Status {
        loop {
            match self.node.call(Command::Status).await {
                Ok(Reply::Status(status)) => return *status,
                Err(CommandError::Starting) => tokio::task::yield_now().await,
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    /// Waits until the status is as wanted, looking again at whatever the node tells.
    async fn until(&self, wanted: impl Fn(&Status) -> bool) -> Status {
        let events = self.node.events();
        let wait = async {
            loop {
                let status = self.status().await;
                if wanted(&status) {
                    return status;
                }
                events.next().await.expect("the node runs");
            }
        };
        tokio::time::timeout(Duration::from_mins(2), wait).await.expect("the node gets there")
    }

    async fn close(self) -> Ended {
        assert!(matches!(self.node.call(Command::Close).await, Ok(Reply::Done)));
        self.run.await.expect("the driver does not panic")
    }
}

/// A miner on one thread: one order at a time, a slice at a time.
fn mine(orders: &Receiver<MiningOrder>, solved: &Sender<Solution>) {
    let mut current = None;
    let mut nonce = 0;
    loop {
        let order = if current.is_some() { orders.try_recv().ok() } else { orders.recv_blocking().ok() };
        match order {
            Some(MiningOrder::Mine(job, template)) => {
                current = Some((job, Job::new(&template.header, &template.target.to_be_bytes())));
                nonce = 0;
            }
            Some(MiningOrder::Stop) => current = None,
            None if orders.is_closed() => return,
            None => {}
        }
        if let Some((job, work)) = &current {
            match work.search(nonce, 50_000) {
                Some(found) => {
                    solved.send_blocking(Solution { job: *job, nonce: found.nonce }).ok();
                    current = None;
                }
                None => nonce += 50_000,
            }
        }
    }
}

#[tokio::test]
async fn a_block_mined_here_is_adopted_there_and_survives_a_restart() {
    let test = async {
        let store = MemoryStore::new();
        let (miner, other) =
            (Running::start(1, MemoryStore::new()).await, Running::start(2, store.clone()).await);
        other.dial(&miner).await;
        other.until(|status| status.peers == 1).await;

        let to = Address::from_bytes([7; 20]);
        assert!(matches!(miner.node.call(Command::StartMining { to }).await, Ok(Reply::Done)));
        let three = |status: &Status| status.height >= Height::new(3);
        miner.until(three).await;
        assert!(matches!(miner.node.call(Command::StopMining).await, Ok(Reply::Done)));
        let tip = miner.status().await.tip;
        let synced = other.until(|status| status.tip == tip).await;

        assert_eq!(other.close().await, Ended::Closed);
        let again = Running::start(2, store.successor()).await;
        let resumed = again.status().await;
        assert_eq!(
            (resumed.tip, resumed.height),
            (synced.tip, synced.height),
            "from its own store, with no peer"
        );
        assert_eq!(miner.close().await, Ended::Closed);
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn a_closed_node_answers_no_more() {
    let test = async {
        let node = Running::start(1, MemoryStore::new()).await;
        node.status().await;
        let handle = node.node.clone();
        assert_eq!(node.close().await, Ended::Closed);
        assert_eq!(handle.call(Command::Status).await.map(|_| ()), Err(CommandError::Closed));
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn garbage_from_a_peer_ends_its_session_and_nothing_else() {
    let test = async {
        let node = Running::start(1, MemoryStore::new()).await;
        let config = NetConfig::new(Zeroizing::new([9; 32]), ChainSpec::dev().genesis_hash());
        let (net, rude) = Net::new(config).expect("nothing is listened on");
        spawn_local(net.run());
        let address = node.address.clone().expect("it listens");
        rude.commands.send(NetCommand::Dial(node.id, vec![address])).await.expect("the swarm runs");
        let mut sent = false;
        loop {
            match rude.events.recv().await.expect("the swarm runs") {
                NetEvent::Up(peer, _) => {
                    sent = true;
                    let garbage = NetCommand::Link(peer, vec![0xff; 100]);
                    rude.commands.send(garbage).await.expect("the swarm runs");
                }
                NetEvent::Down(_) => break,
                _ => {}
            }
        }
        assert!(sent);
        assert_eq!(node.until(|status| status.peers == 0).await.height, Height::GENESIS);
    };
    tokio::time::timeout(Duration::from_secs(30), LocalSet::new().run_until(test)).await.expect("it ends");
}
