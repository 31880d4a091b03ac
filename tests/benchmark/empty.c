/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Does nothing: what it costs to start a static C program here. */

int main(void)
{
	return 0;
}
