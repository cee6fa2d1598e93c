//! The graph of tasks: order, circles, and who needs whom through others. Linear in tasks and needs, without recursion on depth.

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::BTreeSet;

/// Tasks as numbers in the order of the file.
#[derive(Debug, Clone)]
pub(crate) struct Graph {
    /// For each task what it needs.
    needs: Vec<Vec<usize>>,
}

impl Graph {
    pub(crate) fn new(needs: Vec<Vec<usize>>) -> Graph {
        Graph { needs }
    }

    /// Every task after what it needs; among those that could come next the one that stands first in the file. `None` when
    /// there is a circle.
    pub(crate) fn order(&self) -> Option<Vec<usize>> {
        let mut missing: Vec<usize> = self.needs.iter().map(Vec::len).collect();
        let mut dependants = vec![Vec::new(); self.needs.len()];
        for (task, needs) in self.needs.iter().enumerate() {
            needs.iter().for_each(|need| dependants[*need].push(task));
        }
        let mut ready: BTreeSet<usize> = (0..missing.len()).filter(|task| missing[*task] == 0).collect();
        let mut order = Vec::with_capacity(missing.len());
        while let Some(task) = ready.pop_first() {
            order.push(task);
            for dependant in &dependants[task] {
                missing[*dependant] -= 1;
                if missing[*dependant] == 0 {
                    ready.insert(*dependant);
                }
            }
        }
        (order.len() == missing.len()).then_some(order)
    }

    /// One circle for each knot of tasks that need each other, at most `most`: `a`, `b` when `a` needs `b` and `b` needs `a`.
    pub(crate) fn circles(&self, most: usize) -> Vec<Vec<usize>> {
        let mut graph = DiGraph::<(), ()>::with_capacity(self.needs.len(), 0);
        let nodes: Vec<NodeIndex> = self.needs.iter().map(|_| graph.add_node(())).collect();
        for (task, needs) in self.needs.iter().enumerate() {
            for need in needs {
                graph.add_edge(nodes[task], nodes[*need], ());
            }
        }
        // Tarjan's algorithm would do with one pass, but petgraph's recurses and a chain may be very long.
        let mut circles: Vec<_> = kosaraju_scc(&graph).into_iter().filter_map(|knot| self.circle(&knot)).collect();
        circles.sort();
        circles.truncate(most);
        circles
    }

    fn circle(&self, knot: &[NodeIndex]) -> Option<Vec<usize>> {
        let inside: BTreeSet<usize> = knot.iter().map(|node| node.index()).collect();
        let mut path = vec![*inside.first()?];
        let mut place = std::collections::HashMap::from([(path[0], 0)]);
        loop {
            let last = *path.last()?;
            let next = *self.needs[last].iter().find(|need| inside.contains(*need))?;
            if let Some(start) = place.get(&next) {
                let mut circle = path.split_off(*start);
                let first = circle.iter().enumerate().min_by_key(|(_, task)| **task).map_or(0, |(index, _)| index);
                circle.rotate_left(first);
                return Some(circle);
            }
            place.insert(next, path.len());
            path.push(next);
        }
    }

    /// Who needs whom through others, as one row of bits for each task. `order` must be that of this graph.
    pub(crate) fn reach(&self, order: &[usize]) -> Reach {
        let words = self.needs.len().div_ceil(64);
        let mut bits = vec![0_u64; words * self.needs.len()];
        for task in order {
            for need in &self.needs[*task] {
                // The row of `need` is complete, because it comes earlier in the order.
                for word in 0..words {
                    bits[task * words + word] |= bits[need * words + word];
                }
                bits[task * words + need / 64] |= 1 << (need % 64);
            }
        }
        Reach { words, bits }
    }
}

/// Who needs whom, directly or through others.
pub(crate) struct Reach {
    words: usize,
    bits: Vec<u64>,
}

impl Reach {
    pub(crate) fn needs(&self, task: usize, other: usize) -> bool {
        self.bits[task * self.words + other / 64] >> (other % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_follows_needs_and_then_the_file() {
        assert_eq!(Graph::new(vec![vec![2], vec![], vec![]]).order(), Some(vec![1, 2, 0]));
        assert_eq!(Graph::new(vec![]).order(), Some(vec![]));
        assert_eq!(Graph::new(vec![vec![1], vec![0]]).order(), None);
    }

    #[test]
    fn circles_are_named_from_their_first_task() {
        let graph = Graph::new(vec![vec![2], vec![0], vec![1], vec![4], vec![3], vec![0]]);
        assert_eq!(graph.circles(10), [vec![0, 2, 1], vec![3, 4]]);
        assert_eq!(graph.circles(1).len(), 1);
        assert!(Graph::new(vec![vec![], vec![0]]).circles(10).is_empty());
    }

    #[test]
    fn long_chains_need_no_stack() {
        let length = 10_000;
        let chain = Graph::new((0..length).map(|task: usize| task.checked_sub(1).into_iter().collect()).collect());
        let order = chain.order().unwrap();
        assert_eq!(order.len(), length);
        let reach = chain.reach(&order);
        assert!(reach.needs(length - 1, 0) && !reach.needs(0, length - 1) && !reach.needs(5, 5));
        let ring = Graph::new((0..length).map(|task| vec![(task + 1) % length]).collect());
        assert_eq!(ring.circles(10)[0].len(), length);
    }
}
