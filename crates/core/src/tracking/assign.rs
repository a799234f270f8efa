//! Who goes with whom: of the pairs that may be made, those worth most in all, exactly.
//!
//! Most pairs compete with none and are settled at once. The others fall apart into small
//! groups that share nothing, and each group is solved by shortest augmenting paths (Jonker
//! and Volgenant). Equal choices fall the same way each time. Knows nothing of boxes.

use alloc::vec::Vec;

/// A pair that may be made, worth more than nothing.
#[derive(Debug, Clone, Copy)]
struct Edge {
    row: usize,
    col: usize,
    worth: f32,
    group: usize,
}

/// A column of the dense solver.
#[derive(Debug, Clone, Copy)]
struct Column {
    price: f32,
    row: Option<usize>,
    /// Cost of the cheapest known path from the row being placed, and its last row.
    distance: f32,
    from: usize,
    done: bool,
}

/// Working memory of the assignment, kept from frame to frame.
#[derive(Debug, Default)]
pub(super) struct Assignment {
    edges: Vec<Edge>,
    matched: Vec<Option<usize>>,
    row_degree: Vec<usize>,
    col_degree: Vec<usize>,
    parent: Vec<usize>,
    group_rows: Vec<usize>,
    group_cols: Vec<usize>,
    col_place: Vec<usize>,
    costs: Vec<f32>,
    row_price: Vec<f32>,
    row_col: Vec<Option<usize>>,
    columns: Vec<Column>,
}

impl Assignment {
    /// Forgets all pairs that were offered.
    pub(super) fn clear(&mut self) {
        self.edges.clear();
    }

    /// Allows `row` to be paired with `col`, once. `worth` is above 0.
    pub(super) fn offer(&mut self, row: usize, col: usize, worth: f32) {
        self.edges.push(Edge { row, col, worth, group: 0 });
    }

    /// Pairs each row and each column at most once, for the greatest sum of worths. Returns the
    /// column of each row.
    pub(super) fn solve(&mut self, rows: usize, cols: usize) -> &[Option<usize>] {
        refill(&mut self.matched, rows, None);
        refill(&mut self.row_degree, rows, 0);
        refill(&mut self.col_degree, cols, 0);
        for edge in &self.edges {
            self.row_degree[edge.row] += 1;
            self.col_degree[edge.col] += 1;
        }
        self.edges.retain(|edge| {
            let contested = self.row_degree[edge.row] > 1 || self.col_degree[edge.col] > 1;
            if !contested {
                self.matched[edge.row] = Some(edge.col);
            }
            contested
        });
        if !self.edges.is_empty() {
            self.group_edges(rows, cols);
            refill(&mut self.col_place, cols, 0);
            let edges = core::mem::take(&mut self.edges);
            for group in edges.chunk_by(|a, b| a.group == b.group) {
                self.solve_group(group);
            }
            self.edges = edges;
        }
        &self.matched
    }

    /// Sorts the edges into groups that share neither row nor column.
    fn group_edges(&mut self, rows: usize, cols: usize) {
        self.parent.clear();
        self.parent.extend(0..rows + cols);
        for edge in &self.edges {
            let (a, b) = (root(&mut self.parent, edge.row), root(&mut self.parent, rows + edge.col));
            self.parent[a.max(b)] = a.min(b);
        }
        for edge in &mut self.edges {
            edge.group = root(&mut self.parent, edge.row);
        }
        self.edges.sort_unstable_by_key(|edge| (edge.group, edge.row, edge.col));
    }

    fn solve_group(&mut self, edges: &[Edge]) {
        self.group_rows.clear();
        self.group_rows.extend(edges.iter().map(|e| e.row));
        self.group_rows.dedup();
        self.group_cols.clear();
        self.group_cols.extend(edges.iter().map(|e| e.col));
        self.group_cols.sort_unstable();
        self.group_cols.dedup();
        let (rows, cols) = (self.group_rows.len(), self.group_cols.len());
        if rows == 1 || cols == 1 {
            let best = edges.iter().reduce(|best, e| if e.worth > best.worth { e } else { best });
            if let Some(best) = best {
                self.matched[best.row] = Some(best.col);
            }
            return;
        }
        for (place, &col) in self.group_cols.iter().enumerate() {
            self.col_place[col] = place;
        }
        // The solver places each of its rows, so the shorter side must be its rows. What is no
        // edge costs nothing and means "alone".
        let flipped = rows > cols;
        let (short, long) = if flipped { (cols, rows) } else { (rows, cols) };
        refill(&mut self.costs, rows * cols, 0.0);
        let mut row = 0;
        for edge in edges {
            row += usize::from(self.group_rows[row] != edge.row);
            let col = self.col_place[edge.col];
            self.costs[if flipped { col * long + row } else { row * long + col }] = -edge.worth;
        }
        self.solve_dense(short, long);
        for (i, chosen) in self.row_col.iter().enumerate() {
            let Some(j) = *chosen else { continue };
            if self.costs[i * long + j] < 0.0 {
                let (row, col) = if flipped { (j, i) } else { (i, j) };
                self.matched[self.group_rows[row]] = Some(self.group_cols[col]);
            }
        }
    }

    /// Gives each row of `costs` a column of its own, for the least sum; `rows <= cols`.
    fn solve_dense(&mut self, rows: usize, cols: usize) {
        refill(&mut self.row_price, rows, 0.0);
        refill(&mut self.row_col, rows, None);
        let free = Column { price: 0.0, row: None, distance: f32::INFINITY, from: 0, done: false };
        refill(&mut self.columns, cols, free);
        for row in 0..rows {
            let (mut col, length) = self.shortest_path(row, cols);
            self.row_price[row] += length;
            for column in self.columns.iter_mut().filter(|c| c.done) {
                let slack = length - column.distance;
                column.price -= slack;
                if let Some(owner) = column.row {
                    self.row_price[owner] += slack;
                }
            }
            loop {
                let owner = self.columns[col].from;
                self.columns[col].row = Some(owner);
                match self.row_col[owner].replace(col) {
                    Some(previous) => col = previous,
                    None => break,
                }
            }
        }
    }

    /// Dijkstra from `start` along rows and the columns they hold, to a free column. Returns it
    /// and the length of the path.
    fn shortest_path(&mut self, start: usize, cols: usize) -> (usize, f32) {
        for column in &mut self.columns {
            (column.distance, column.done) = (f32::INFINITY, false);
        }
        let (mut row, mut length) = (start, 0.0);
        loop {
            let mut nearest = (f32::INFINITY, 0);
            let base = length - self.row_price[row];
            let costs = &self.costs[row * cols..][..cols];
            for (j, (column, cost)) in self.columns.iter_mut().zip(costs).enumerate() {
                if column.done {
                    continue;
                }
                let distance = base + cost - column.price;
                if distance < column.distance {
                    (column.distance, column.from) = (distance, row);
                }
                if column.distance < nearest.0 {
                    nearest = (column.distance, j);
                }
            }
            let col;
            (length, col) = nearest;
            self.columns[col].done = true;
            match self.columns[col].row {
                Some(owner) => row = owner,
                None => return (col, length),
            }
        }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.edges.capacity()
            + self.matched.capacity()
            + self.row_degree.capacity()
            + self.col_degree.capacity()
            + self.parent.capacity()
            + self.group_rows.capacity()
            + self.group_cols.capacity()
            + self.col_place.capacity()
            + self.costs.capacity()
            + self.row_price.capacity()
            + self.row_col.capacity()
            + self.columns.capacity()
    }
}

/// The group a node belongs to; shortens the way for the next to ask.
fn root(parent: &mut [usize], mut node: usize) -> usize {
    while parent[node] != node {
        parent[node] = parent[parent[node]];
        node = parent[node];
    }
    node
}

fn refill<T: Clone>(list: &mut Vec<T>, len: usize, value: T) {
    list.clear();
    list.resize(len, value);
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    /// The greatest sum of worths over all ways to pair, one row after the other.
    fn brute_force(worths: &[Vec<f32>], row: usize, taken: &mut Vec<bool>) -> f32 {
        let Some(choices) = worths.get(row) else { return 0.0 };
        let mut best = brute_force(worths, row + 1, taken);
        for (col, &worth) in choices.iter().enumerate() {
            if worth > 0.0 && !taken[col] {
                taken[col] = true;
                best = best.max(worth + brute_force(worths, row + 1, taken));
                taken[col] = false;
            }
        }
        best
    }

    fn solved(worths: &[Vec<f32>], cols: usize) -> f32 {
        let mut assignment = Assignment::default();
        for (row, choices) in worths.iter().enumerate() {
            for (col, &worth) in choices.iter().enumerate().filter(|(_, worth)| **worth > 0.0) {
                assignment.offer(row, col, worth);
            }
        }
        let mut taken = vec![false; cols];
        let mut sum = 0.0;
        for (row, col) in assignment.solve(worths.len(), cols).iter().enumerate() {
            if let Some(col) = *col {
                assert!(!taken[col], "column {col} given twice");
                taken[col] = true;
                assert!(worths[row][col] > 0.0, "paired what may not be");
                sum += worths[row][col];
            }
        }
        sum
    }

    fn matrix() -> impl Strategy<Value = (usize, Vec<Vec<f32>>)> {
        // Few distinct values, a third of them "may not": many ties, many groups.
        let worth = prop_oneof![Just(0.0f32), 0.001f32..1.0, (1u8..5).prop_map(|n| f32::from(n) / 4.0)];
        (1usize..8, 1usize..8).prop_flat_map(move |(rows, cols)| {
            (Just(cols), prop::collection::vec(prop::collection::vec(worth.clone(), cols), rows))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn as_good_as_trying_everything((cols, worths) in matrix()) {
            let best = brute_force(&worths, 0, &mut vec![false; cols]);
            let sum = solved(&worths, cols);
            prop_assert!((best - sum).abs() < 1e-4, "{} instead of {}", sum, best);
        }

    }

    #[test]
    fn the_greedy_choice_is_not_taken() {
        // Row 0 likes column 0 best, but row 1 can have nothing else.
        assert!((solved(&[vec![0.9, 0.8], vec![0.7, 0.0]], 2) - 1.5).abs() < 1e-6);
        // One good pair is worth more than two poor ones.
        assert!((solved(&[vec![0.9, 0.2], vec![0.3, 0.0]], 2) - 0.9).abs() < 1e-6);
    }
}
